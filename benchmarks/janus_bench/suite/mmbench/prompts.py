"""The prompts of MMBench, by who asks."""

from __future__ import annotations

from collections.abc import Callable

from janus_bench.suite.mmbench.files import Row

LETTER = "Answer with the option's letter from the given choices directly."


def janus(row: Row) -> str:
    """VLMEvalKit's class of the Janus authors: a blank line before the instruction."""
    hint = "" if row.hint is None else f"Hint: {row.hint}\n"
    asked = f"{_options(row)}\n{LETTER}" if row.choices else "Answer the question directly. "
    return f"{hint}{row.question}\n{asked}"


def llava(row: Row) -> str:
    """LLaVA's ``model_vqa_mmbench.py`` with ``--single-pred-prompt``: no option after one that is "none" or "nan"."""
    lines = [row.question] if _is_none(row.hint) else [str(row.hint), row.question]
    for letter in "ABCD":
        if _is_none(row.choices.get(letter)):
            break
        lines.append(f"{letter}. {row.choices[letter]}")
    return "\n".join([*lines, LETTER])


def vlmevalkit(row: Row) -> str:
    """VLMEvalKit's own."""
    hint = "" if row.hint is None else f"Hint: {row.hint}\n"
    asked = f"Options:\n{_options(row)}Please select the correct answer from the options above. \n"
    return f"{hint}Question: {row.question}\n{asked if row.choices else ''}"


STYLES: dict[str, Callable[[Row], str]] = {"janus": janus, "llava": llava, "vlmevalkit": vlmevalkit}


def _options(row: Row) -> str:
    return "".join(f"{letter}. {text}\n" for letter, text in row.choices.items())


def _is_none(text: str | None) -> bool:
    return text is None or text.lower() in ("nan", "none")
