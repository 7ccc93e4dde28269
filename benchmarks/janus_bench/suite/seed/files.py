"""SEED-Bench's files: the questions, and what a run writes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from janus_bench.suite.predicted import one_file
from janus_bench.suite.reading import field, named, read_json
from janus_bench.suite.rows import read_rows
from janus_bench.suite.tables import TABLES, read_table
from janus_core.errors import UserError

LETTERS = "ABCD"
TYPES = (
    "Scene Understanding", "Instance Identity", "Instance Attributes", "Instance Location", "Instances Counting",
    "Spatial Relation", "Instance Interaction", "Visual Reasoning", "Text Understanding", "Action Recognition",
    "Action Prediction", "Procedure Understanding",
)  # fmt: skip
"""The types of SEED-Bench v1 by number, from 1, for data sets that give the number alone."""


@dataclass(frozen=True, slots=True)
class Item:
    """A question with its four options.

    Attributes:
        source: ``image`` or ``video``.
        record: as the file has it, to write a part of the file again.
    """

    id: str
    type_id: int
    type: str
    source: str
    data_id: str
    question: str
    choices: tuple[str, ...]
    answer: str
    record: Mapping[str, Any]


def read_questions(path: Path) -> list[Item]:
    """The questions in their order: SEED-Bench.json or its folder, lmms-lab/SEED-Bench by rows, SEEDBench_IMG.tsv.

    Raises:
        UserError: there are none, one stands twice or is malformed; it is named.
    """
    if not (path.is_dir() and any(path.rglob("*.parquet"))):
        path = one_file(path, ("SEED-Bench.json", "SEED*.json", "*.tsv"), "SEED-Bench.json")
    rows, types = _rows(path)
    items = [_item(row, types, f"{path}, question {number}") for number, row in enumerate(rows, 1)]
    counts = Counter(item.id for item in items)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise UserError(f"{path} has question_id twice: {named(twice)}", "ids must be unique")
    if not items:
        raise UserError(f"{path} has no question", "is this SEED-Bench.json?")
    return items


def picture(data: Path, item: Item) -> Path:
    """The picture, or the middle frame of the video."""
    if item.source == "image":
        return data / "SEED-Bench-image" / item.data_id
    return data / "SEED-Bench-video-image" / f"{item.type_id}_{item.id}.png"


def write_letters(folder: Path, asked: Iterable[tuple[Item, str, str]], model: str) -> Path:
    """Write (question, prompt, answer) as LLaVA does, and ``submission.jsonl`` for the leaderboard."""
    asked = list(asked)
    lines = [
        {"question_id": int(item.id) if item.id.isdecimal() else item.id, "prompt": prompt, "text": answer}
        | {"answer_id": item.id, "model_id": model, "metadata": {}}
        for item, prompt, answer in asked
    ]
    _write(folder / "answers.jsonl", lines)
    _write(folder / "submission.jsonl", [{"question_id": item.id, "prediction": text} for item, _, text in asked])
    return folder / "answers.jsonl"


def write_losses(folder: Path, asked: Sequence[tuple[Item, Sequence[float]]]) -> Path:
    """Write the losses of the options by question id."""
    lines = [f" {json.dumps(item.id)}: {json.dumps(list(values))}" for item, values in asked]
    path = folder / "choice_losses.json"
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    return path


def write_questions(folder: Path, items: Sequence[Item]) -> Path:
    """Write a part of the questions in the official layout."""
    about = {"question_type": {item.type: item.type_id for item in items}, "questions": [i.record for i in items]}
    path = folder / "SEED-Bench.json"
    path.write_text(json.dumps(about, indent=1, ensure_ascii=False), encoding="utf-8")
    return path


def _rows(path: Path) -> tuple[list[Any], dict[int, str]]:
    if path.suffix in TABLES:
        return list(read_table(path)), {}
    if path.is_dir() or path.suffix in (".jsonl", ".parquet"):
        return read_rows(path), {}
    content = read_json(path)
    if isinstance(content, list):
        return read_rows(path), {}
    questions = field(content, "questions", list, path) if isinstance(content, dict) else []
    types = content.get("question_type", {}) if isinstance(content, dict) else {}
    return questions, {number: name for name, number in types.items()}


def _item(row: object, types: Mapping[int, str], place: str) -> Item:
    if not isinstance(row, dict):
        raise UserError(f"{place} is not a JSON object: {str(row)[:60]}", "is this SEED-Bench?")
    if "choice_a" not in row:
        return _vlmevalkit(row, place)
    name = str(field(row, "question_id", (str, int), place))
    place = f"{place} ({name})"
    number = _number(field(row, "question_type_id", (int, str), place), place)
    kind = types.get(number) or (TYPES[number - 1] if 0 < number <= len(TYPES) else str(number))
    source = field(row, "data_type", str, place)
    if source not in ("image", "video"):
        raise UserError(f"{place}: data_type is {source!r}, not image or video", "is this SEED-Bench v1?")
    choices = tuple(str(field(row, f"choice_{letter}", (str, int, float), place)) for letter in "abcd")
    data_id, question = str(field(row, "data_id", (str, int), place)), field(row, "question", str, place)
    return Item(name, number, kind, source, data_id, question, choices, _letter(row, place), row)


def _vlmevalkit(row: Mapping[str, Any], place: str) -> Item:
    """A row of SEEDBench_IMG.tsv, which has pictures only."""
    name = field(row, "index", str, place)
    kind, question = field(row, "category", str, place), field(row, "question", str, place)
    choices = tuple(field(row, letter, str, place) for letter in LETTERS)
    number = TYPES.index(kind) + 1 if kind in TYPES else 0
    return Item(name, number, kind, "image", str(row.get("image_path") or name), question, choices,
                _letter(row, f"{place} ({name})"), row)  # fmt: skip


def _number(value: int | str, place: str) -> int:
    if not str(value).isdecimal():
        raise UserError(f"{place}: question_type_id is {value!r}, not a number", "is this SEED-Bench v1?")
    return int(value)


def _letter(row: Mapping[str, Any], place: str) -> str:
    answer: str = field(row, "answer", str, place)
    if len(answer) != 1 or answer not in LETTERS:
        raise UserError(f"{place}: the answer is {answer!r}, not A, B, C or D", "is this SEED-Bench v1?")
    return answer


def _write(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records), encoding="utf-8")
