"""Files of JSON records, each with the file and line that it came from; a broken record breaks no other."""

from __future__ import annotations

import json
import re
from array import array
from pathlib import Path
from typing import Any

from janus_core.interfaces import BadRecord

_SPACE = re.compile(r"[\s,]*")


class JsonLines:
    """A JSONL file, indexed by the byte at which each line begins; blank lines are no records.

    Raises:
        ValueError: there is no such file.
    """

    def __init__(self, path: Path) -> None:
        require_file(path)
        self.path = path
        # Arrays, not lists of tuples: files of millions of lines are read, and each loader worker holds a copy.
        self._lines, self._offsets = array("q"), array("q")
        offset = 0
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    self._lines.append(number)
                    self._offsets.append(offset)
                offset += len(line)

    def __len__(self) -> int:
        return len(self._offsets)

    def place(self, index: int) -> str:
        """``file:line`` of a record."""
        return f"{self.path}:{self._lines[index]}"

    def __getitem__(self, index: int) -> dict[str, Any]:
        with self.path.open("rb") as file:
            file.seek(self._offsets[index])
            line = file.readline()
        return parse_object(line, self.place(index))


class JsonArray:
    """A JSON file that holds a list; each item is read apart, so that its line is known.

    Raises:
        ValueError: there is no such file, or it holds no list, or the list is broken (with the line) or not UTF-8.
    """

    def __init__(self, path: Path) -> None:
        require_file(path)
        self.path = path
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is not UTF-8: {error}") from error
        self._items: list[tuple[int, Any]] = []
        decoder, at = json.JSONDecoder(), _skip(text, 0)
        if text[at : at + 1] != "[":
            raise ValueError(f"{path} holds no JSON list; LLaVA files are a list of conversations")
        at, line, counted = _skip(text, at + 1), 1, 0
        while text[at : at + 1] != "]":
            line, counted = line + text.count("\n", counted, at), at
            try:
                item, at = decoder.raw_decode(text, at)
            except ValueError as error:
                raise ValueError(f"{path}:{line}: the list is broken here: {error}") from error
            self._items.append((line, item))
            at = _skip(text, at)

    def __len__(self) -> int:
        return len(self._items)

    def place(self, index: int) -> str:
        """``file:line`` of a record."""
        return f"{self.path}:{self._items[index][0]}"

    def __getitem__(self, index: int) -> dict[str, Any]:
        return as_mapping(self._items[index][1], self.place(index))


def require_file(path: Path) -> None:
    if not path.is_file():
        raise ValueError(f"{path} does not exist" if not path.exists() else f"{path} is not a file")


def parse_object(data: bytes, place: str) -> dict[str, Any]:
    """A JSON object in UTF-8."""
    try:
        record = json.loads(data.decode("utf-8-sig"))
    except ValueError as error:
        raise BadRecord(place, f"not JSON: {error}") from error
    return as_mapping(record, place)


def as_mapping(record: Any, place: str) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise BadRecord(place, f"holds {type(record).__name__}, not an object")
    return record


def text_of(record: dict[str, Any], key: str, place: str) -> str:
    """A non-empty text of a record, without space around it; ``a.b`` is the key b in the object a."""
    value: Any = record
    for part in (key,) if key in record else key.split("."):
        if not isinstance(value, dict) or part not in value:
            raise BadRecord(place, f"{_must(key)}missing; keys: {', '.join(record)}")
        value = value[part]
    if not isinstance(value, str) or not value.strip():
        raise BadRecord(place, f"{_must(key)}{value!r:.80}; keys: {', '.join(record)}")
    return value.strip()


def _must(key: str) -> str:
    return f"{key!r} must be a text that is not empty, but is "


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None
    return match.end()
