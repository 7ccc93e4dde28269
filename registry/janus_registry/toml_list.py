"""A list of strings in a TOML text: items added and removed in place, so that comments and layout stay."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile

TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)
    |(?P<string>\"\"\".*?(?<!\\)\"\"\"|'''.*?'''|"(?:\\.|[^"\\\n])*"|'[^'\n]*')
    |(?P<word>[\w-]+)|(?P<mark>[\[\]{}=,.])|(?P<space>.)""",
    re.VERBOSE | re.DOTALL,
)
"""Of a text that is known to be TOML."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a string or a mark, and where it stands."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def value(self) -> str:
        """What a string or a word says."""
        return str(tomllib.loads(f"x = {self.text}")["x"]) if self.kind == "string" else self.text


@dataclass(frozen=True, slots=True)
class List:
    """The tokens of a list, and where its brackets stand: behind the first, before the last."""

    items: list[Token]
    commas: list[Token]
    start: int
    end: int


def find_list(text: str, key: str) -> List | None:
    """The list that follows ``key =``; None if there is none."""
    found = [Token(m.lastgroup or "", m.group(), *m.span()) for m in TOKEN.finditer(text)]
    tokens = [token for token in found if token.kind not in ("comment", "space")]
    for place, (name, equals, bracket) in enumerate(zip(tokens, tokens[1:], tokens[2:], strict=False)):
        if equals.text == "=" and bracket.text == "[" and name.kind != "mark" and name.value == key:
            inside = list(takewhile(lambda token: token.text != "]", tokens[place + 3 :]))
            items = [token for token in inside if token.kind == "string"]
            commas = [token for token in inside if token.text == ","]
            return List(items, commas, bracket.end, tokens[place + 3 + len(inside)].start)
    return None


def without(text: str, key: str, unwanted: Callable[[str], bool]) -> str:
    """The text without those items of the list ``key`` that are ``unwanted``; a line that holds nothing then goes."""
    while True:
        found = find_list(text, key)
        places = [place for place, item in enumerate(found.items) if unwanted(item.value)] if found else []
        if found is None or not places:
            return text
        text = _cut(text, found, places[0])


def _cut(text: str, found: List, place: int) -> str:
    item = found.items[place]
    if place < len(found.commas):
        comma = found.commas[place]
        if not text[item.end : comma.start].strip():
            return _cut_span(text, item.start, comma.end)
        return _cut_span(text[: comma.start] + text[comma.end :], item.start, item.end)
    if place == 0:
        return _cut_span(text, item.start, item.end)
    comma = found.commas[place - 1]  # the last of several, without a comma of its own: the one before it goes
    if not (between := text[comma.end : item.start]).strip() and "\n" not in between:
        return _cut_span(text, comma.start, item.end)
    text = _cut_span(text, item.start, item.end)
    return text[: comma.start] + text[comma.end :]


def _cut_span(text: str, start: int, end: int) -> str:
    """Without the span and the blanks behind it; without its line if nothing else stands there."""
    while text[end : end + 1] in (" ", "\t"):
        end += 1
    first, last = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    if last >= 0 and not text[first:start].strip() and not text[end:last].strip():
        return text[:first] + text[last + 1 :]
    return text[:start] + text[end:]


def with_item(text: str, key: str, item: str) -> str | None:
    """The text with ``item`` at the end of the list ``key``, set as the item before it is; None without such a list."""
    found, written = find_list(text, key), json.dumps(item)
    if found is None:
        return None
    if not found.items:
        return text[: found.start] + written + text[found.start :]
    last, closed = found.items[-1], len(found.commas) == len(found.items)
    at = found.commas[-1].end if closed else last.end
    if not closed:
        text, at = text[:at] + "," + text[at:], at + 1
    line_end = text.find("\n", at)
    if not 0 <= line_end < found.end + (not closed):
        return text[:at] + " " + written + text[at:]
    line_end -= text[line_end - 1] == "\r"
    newline = "\r\n" if text[line_end] == "\r" else "\n"
    line = text[text.rfind("\n", 0, last.start) + 1 : last.start]
    blank = line[: len(line) - len(line.lstrip())] or "    "
    return text[:line_end] + newline + blank + written + "," * closed + text[line_end:]
