"""Reads files of annotations and predictions; a mistake is told with its file and its item."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from janus_core.errors import UserError

NAMED = 5
"""How many items a message names before it counts the rest."""


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        UserError: it is not there, or not JSON.
    """
    try:
        return json.loads(read_text(path))
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}", "is this the right file, and whole?") from None


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines; empty lines are passed over.

    Raises:
        UserError: it is not there, or a line is no JSON object.
    """
    found = []
    # not splitlines(): a separator such as U+2028 may stand inside a JSON string
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise UserError(f"{path}, line {number} is not JSON: {error}", "one JSON object a line") from None
        if not isinstance(record, dict):
            raise UserError(f"{path}, line {number} is not a JSON object: {line[:60]}", "one JSON object a line")
        found.append(record)
    return found


def read_text(path: Path, *, exact: bool = False) -> str:
    """The text of a UTF-8 file, with or without a byte order mark.

    Args:
        exact: keep the ends of lines as they are; else each becomes a line feed.

    Raises:
        UserError: it cannot be read, or is not UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="" if exact else None) as file:
            return file.read()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}", "check the path") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8: {error}", "save it as UTF-8") from None


def field(record: Mapping[str, Any], name: str, kind: type | tuple[type, ...], place: object) -> Any:
    """``record[name]``, checked.

    Raises:
        UserError: it is absent or of another type; ``place`` is named.
    """
    if name not in record:
        have = ", ".join(map(repr, record)) or "nothing"
        raise UserError(f"{place} has no {name!r} (it has {have})", "is this file in the format of the benchmark?")
    value = record[name]
    wanted = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        names = " or ".join(each.__name__ for each in wanted)
        raise UserError(f"{place}: {name!r} is {value!r}, not {names}", "is this file in the format of the benchmark?")
    return value


def named(items: Sequence[object]) -> str:
    """The first few items and how many more there are, for messages."""
    text = ", ".join(map(str, items[:NAMED]))
    return text if len(items) <= NAMED else f"{text} and {len(items) - NAMED} more"
