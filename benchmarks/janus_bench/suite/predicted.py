"""Reads answers by item id in the formats that toolkits write, and sets them against the items of a benchmark."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from janus_bench.suite.reading import field, named, read_lines, read_text
from janus_core.errors import UserError

REMEDY = "is this file in the format of the benchmark?"


class Keyed(dict[str, Any]):
    """A JSON object that remembers which keys it had more than once."""

    repeated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Matched:
    """Answers set against the items of a benchmark.

    Attributes:
        by_id: the answer of each item that has one; of several the last.
        missing: items without an answer, in the order of the items.
        extra: ids of answers that are no items.
        repeated: items with several answers.
    """

    by_id: dict[str, str]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    repeated: tuple[str, ...]

    def warnings(self, *, missing: str, extra: str, repeated: str) -> list[str]:
        """A sentence for each kind that occurs; the arguments say what the official code does there."""
        found = []
        for ids, what, official in (
            (self.missing, "items have no answer and count as wrong", missing),
            (self.extra, "answers belong to no item and are not scored", extra),
            (self.repeated, "items are answered more than once and the last answer counts", repeated),
        ):
            if ids:
                found.append(f"{len(ids)} {what} ({official}): {named(ids)}")
        return found


def match(answers: Sequence[tuple[str, str]], items: Collection[str]) -> Matched:
    """Set (id, text) pairs against the ids of the items."""
    by_id: dict[str, str] = {}
    extra: dict[str, None] = {}
    repeated: dict[str, None] = {}
    for name, text in answers:
        if name not in items:
            extra[name] = None
            continue
        if name in by_id:
            repeated[name] = None
        by_id[name] = text
    missing = tuple(name for name in items if name not in by_id)
    return Matched(by_id, missing, tuple(extra), tuple(repeated))


def read_answers(path: Path, ids: Sequence[str], texts: Sequence[str]) -> list[tuple[str, str]]:
    """The answers of a file, as (id, text) in its order.

    Recognised by content: a JSON array of objects, JSON lines of objects (LLaVA's answers, the official results), one
    JSON object of ``id: text``, and lmms-eval's samples (JSON lines with ``doc`` and ``resps``).

    Args:
        ids: the names that the field of the id may have.
        texts: the names that the field of the answer may have.

    Raises:
        UserError: the file is none of these, or an item of it lacks its id or its text; it is named.
    """
    content = read_text(path)
    if content.lstrip()[:1] == "[":
        records = read_keyed(path)
        place = "item"
    else:
        whole = _whole_object(content)
        if whole is not None and not any(name in whole for name in (*ids, "resps")):
            return [(name, _text(text, f"{path}, {name!r}")) for name, text in _pairs(content)]
        records, place = read_lines(path), "line"
    return [_answer(record, ids, texts, f"{path}, {place} {number}") for number, record in enumerate(records, 1)]


def read_keyed(path: Path) -> Any:
    """The content of a JSON file, its objects as `Keyed`.

    Raises:
        UserError: it is not there, or not JSON.
    """
    try:
        return json.loads(read_text(path), object_pairs_hook=_keyed)
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}", "is this the right file, and whole?") from None


def one_file(path: Path, patterns: Sequence[str], what: str) -> Path:
    """``path``, or the file of a folder that has an official name (``patterns``), else its only JSON file.

    Raises:
        UserError: there is none, or more than one.
    """
    if not path.is_dir():
        return path
    for pattern in patterns:
        found = sorted(path.glob(pattern))
        if found:
            break
    else:
        found = sorted(file for file in path.iterdir() if file.suffix in (".json", ".jsonl"))
    if len(found) != 1:
        have = f"several files: {named([file.name for file in found])}" if found else f"none of {', '.join(patterns)}"
        raise UserError(f"{path} should hold {what}, and has {have}", "name the file itself")
    return found[0]


def _keyed(pairs: list[tuple[str, Any]]) -> Keyed:
    found = Keyed(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        found.repeated = tuple(dict.fromkeys(name for name in names if names.count(name) > 1))
    return found


def _whole_object(content: str) -> dict[str, Any] | None:
    try:
        found = json.loads(content)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _pairs(content: str) -> list[tuple[str, Any]]:
    """The pairs of the outermost object, those of repeated keys too."""
    last: list[tuple[str, Any]] = []

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        last[:] = pairs
        return dict(pairs)

    json.loads(content, object_pairs_hook=keep)
    return last


def _answer(record: Any, ids: Sequence[str], texts: Sequence[str], place: str) -> tuple[str, str]:
    if not isinstance(record, dict):
        raise UserError(f"{place} is not a JSON object: {str(record)[:60]}", REMEDY)
    if "resps" in record or "filtered_resps" in record:
        text = record.get("filtered_resps") or record.get("resps")
        while isinstance(text, list) and text:
            text = text[0]
        document = field(record, "doc", dict, place)
        return _id(document, ids, f"{place}, doc"), _text(text, place)
    name = _id(record, ids, place)
    for key in texts:
        if key in record:
            return name, _text(record[key], f"{place} ({name})")
    return name, field(record, texts[0], str, f"{place} ({name})")


def _id(record: dict[str, Any], ids: Sequence[str], place: str) -> str:
    present = [key for key in ids if key in record] or [ids[0]]
    return str(field(record, present[0], (str, int), place))


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise UserError(f"{place}: the answer is {value!r}, not a text", REMEDY)
    return value
