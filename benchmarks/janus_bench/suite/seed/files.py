"""SEED-Bench's files: questions, letters as LLaVA, lmms-eval and the submission have them, losses of the options."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from janus_bench.suite.once import match_once
from janus_bench.suite.predicted import Matched, match, one_file, read_answers
from janus_bench.suite.reading import field, named, read_json, read_lines, read_text
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

ANSWERS = ("answers*.jsonl", "predictions*.jsonl", "results.json", "*.jsonl")
LOSSES = ("choice_losses.json", *ANSWERS)


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


def read_letters(path: Path, items: Sequence[Item], asked: Sequence[Item]) -> tuple[dict[str, str], list[str]]:
    """The answers by question id, and what must be said of them.

    Args:
        asked: the questions that must have an answer.

    Raises:
        UserError: the file is malformed; the place is named.
    """
    path = one_file(path, ANSWERS, "a file of answers")
    if path.suffix in TABLES:
        answers = [(row.get("index", ""), field(row, "prediction", str, f"{path}, row {number}"))
                   for number, row in enumerate(read_table(path), 2)]  # fmt: skip
        texts: list[str] = []
    else:
        answers = read_answers(path, ("question_id", "q_id"), ("text", "prediction"))
        texts = _numbers_as_texts(path)
    found = match(answers, {item.id: None for item in items})
    warnings = _said(
        found,
        asked,
        "as LLaVA's code has it",
        "LLaVA's code counts them so and stops afterwards, writing the submission",
    )
    if texts:
        warnings.append(
            f"{len(texts)} ids are numbers written as texts; they are taken as numbers, while LLaVA's code does not "
            f"find them and counts the questions as wrong: {named(texts)}"
        )
    return found.by_id, warnings


def read_ranked(
    path: Path, items: Sequence[Item], asked: Sequence[Item]
) -> tuple[dict[str, str], list[str], list[str]]:
    """Letters from the losses of the options, what must be said of them, and the ids whose smallest loss is shared.

    The file is one JSON object of question id -> four losses, or the JSON lines that the official ``eval.py`` writes
    (``q_id``, ``prediction``).

    Raises:
        UserError: a question has not four numbers, or is there twice and differently; it is named.
    """
    path = one_file(path, LOSSES, "a file of losses")
    try:
        # pairs as a list of tuples, so that an id that stands twice is seen
        whole = json.loads(read_text(path), object_pairs_hook=list)
    except ValueError:
        whole = []
    pairs = whole if isinstance(whole, list) and isinstance(next(iter(whole), None), tuple) else []
    if not pairs or not isinstance(pairs[0][1], list):
        answers = read_answers(path, ("question_id", "q_id"), ("prediction",))
        found = match_once(answers, {item.id: None for item in items}, path)
        return found.by_id, _said(found, asked, AGREE, UNKNOWN), []
    losses = [(name, _four(values, f"{path}, question {name}")) for name, values in pairs]
    found = match_once([(name, json.dumps(values)) for name, values in losses], {i.id: None for i in items}, path)
    ranked = {name: json.loads(found.by_id[name]) for name in found.by_id}
    warnings = _said(found, asked, AGREE, UNKNOWN)
    if odd := [name for name, values in ranked.items() if any(map(math.isnan, values))]:
        warnings.append(f"losses that are no numbers (NaN) count as larger than all others: {named(odd)}")
    ranked = {name: [math.inf if math.isnan(v) else v for v in values] for name, values in ranked.items()}
    letters = {name: LETTERS[values.index(min(values))] for name, values in ranked.items()}
    ties = [name for name, values in ranked.items() if values.count(min(values)) > 1]
    return letters, warnings, ties


AGREE = "the copies agree"
UNKNOWN = "the official code asks all itself"


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


def _four(values: object, place: str) -> list[float]:
    numbers = values if isinstance(values, list) else []
    if len(numbers) != 4 or any(isinstance(v, bool) or not isinstance(v, int | float) for v in numbers):
        raise UserError(f"{place} has not four losses but {str(values)[:60]}", "give one number an option, A to D")
    return [float(value) for value in numbers]


def _said(found: Matched, asked: Sequence[Item], repeated: str, missing: str) -> list[str]:
    lacking = tuple(item.id for item in asked if item.id not in found.by_id)
    extra = "the official code does not look at them"
    return replace(found, missing=lacking).warnings(missing=missing, extra=extra, repeated=repeated)


def _numbers_as_texts(path: Path) -> list[str]:
    """Ids of LLaVA's answers that its code would not find: it looks for whole numbers as numbers."""
    if read_text(path).lstrip()[:1] == "[":
        return []
    records = [record for record in read_lines(path) if "text" in record]
    names = [record.get("question_id") for record in records]
    return [name for name in names if isinstance(name, str) and name.isdecimal()]


def _write(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records), encoding="utf-8")
