"""Reads answers out of responses as eval_utils.py of MMMU-Benchmark/MMMU (bb0b95a) does."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

OUTER = (",", ".", "!", "?", ";", ":", "'")
"""Marks stripped from both ends, one kind after the other."""

MANY_WORDS = 5
"""Only longer responses are searched for the text of an option."""

KEYS = ("could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result ")
"""What an open answer may stand behind; in the last line also an equals sign."""

TRIVIAL = frozenset((":", ",", ".", "!", "?", ";", "'"))

WITH_COMMAS = re.compile(r"-?\b\d{1,3}(?:,\d{3})+\b")
SCIENTIFIC = re.compile(r"-?\d+(?:\.\d+)?[eE][+-]?\d+")
SIMPLE = re.compile(r"-?(?:\d+\.\d+|\.\d+|\d+\b)(?![eE][+-]?\d+)(?![,\d])")


def read_choice(response: str, choices: Sequence[str], options: Mapping[str, str]) -> str | None:
    """The letter that a response names: (X), else X between spaces, else an option's text; of several the last.

    None where the official code takes a random letter.
    """
    for mark in OUTER:
        response = response.strip(mark)
    response = f" {response} "
    for pattern in ("({})", " {} "):
        named = [choice for choice in choices if pattern.format(choice) in response]
        if named:
            return max(named, key=lambda choice: response.rfind(pattern.format(choice)))
    if len(response.split()) <= MANY_WORDS:
        return None
    low = response.lower()
    named = [letter for letter, text in options.items() if text.lower() in low]
    # of texts that begin at one place the first option wins, as max and numpy's argmax both do
    return max(named, key=lambda letter: low.rfind(options[letter].lower())) if named else None


def key_parts(response: str) -> list[str]:
    """The tails of an open response that may hold its answer; the whole of it if there are none.

    The response is in lower case by then, so that the official split at a full stop before a capital never happens.
    """
    response = response.strip().strip(".").lower()
    lines = response.split("\n")
    found = []
    for number, line in enumerate(lines, 1):
        keys = (*KEYS, "=") if number == len(lines) else KEYS
        tails = [line.split(key)[-1].strip() for key in keys if key in line]
        # an empty tail is replaced by any that follows it, a shorter one by none
        shortest = ""
        for tail in tails:
            if not shortest or len(tail) < len(shortest):
                shortest = tail
        if shortest and shortest not in TRIVIAL:
            found.append(shortest)
    return found or [response]


def numbers_in(text: str) -> list[str]:
    """Numbers with commas, in scientific notation, and simple ones."""
    return WITH_COMMAS.findall(text) + SCIENTIFIC.findall(text) + SIMPLE.findall(text)


def normal(text: str) -> list[str | float]:
    """A number as float rounded to two decimals, else lower case; one letter with a space on either side of it."""
    text = text.strip()
    try:
        return [round(float(text.replace(",", "")), 2)]
    except ValueError:
        low = text.lower()
    return [f" {low}", f"{low} "] if len(low) == 1 else [low]


def read_open(response: str) -> list[str | float]:
    """All that an open response may mean, each once."""
    parts = key_parts(response)
    texts = parts + [number for part in parts for number in numbers_in(part)]
    return list(dict.fromkeys(form for text in texts for form in normal(text)))


def open_is_right(said: Sequence[str | float], truth: Sequence[str]) -> bool:
    """Whether a true text lies inside one that was said, or a number equals a true one."""
    true = [form for text in truth for form in normal(text)]
    return any(
        any(isinstance(one, str) and one in form for one in true) if isinstance(form, str) else form in true
        for form in said
    )


def repaired_choice(response: str, choices: Sequence[str], options: Mapping[str, str]) -> str | None:
    """As `read_choice`, with letters that stand alone between any marks (X. [X] Answer:X **X**), and wide letters."""
    response = unicodedata.normalize("NFKC", response).strip()
    lone = re.fullmatch(r"\W*(\w)\W*", response)
    if lone and lone[1].upper() in choices:
        return lone[1].upper()
    for pattern in (r"\({}\)", r"(?<!\w){}(?![\w'’])"):
        places = {c: [m.start() for m in re.finditer(pattern.format(re.escape(c)), response)] for c in choices}
        if any(places.values()):
            return max(choices, key=lambda choice: max(places[choice], default=-1))
    return read_choice(response, choices, options)


def repaired_open(response: str, truth: Sequence[str]) -> bool:
    """Whole words in place of parts of words; small numbers by digits; minus signs, per cent and money signs read."""
    parts = key_parts(_plain(response))
    numbers = [_number(text) for part in parts for text in (part, *numbers_in(part))]
    for true in map(_plain, truth):
        value = _number(true)
        if value is not None and any(number is not None and _same(number, value) for number in numbers):
            return True
        whole = rf"(?<!\w){re.escape(true.strip().lower())}(?!\w)"
        if value is None and true.strip() and any(re.search(whole, part) for part in parts):
            return True
    return False


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace("−", "-").replace("–", "-")


def _number(text: str) -> float | None:
    try:
        return float(text.strip().strip("$€£%").replace(",", ""))
    except ValueError:
        return None


def _same(one: float, true: float) -> bool:
    """Equal to two decimals, or to two digits where the truth is below 0.1."""
    form = ".2f" if abs(true) >= 0.1 or true == 0 else ".1e"
    return format(one, form) == format(true, form)
