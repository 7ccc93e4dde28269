"""Reads and writes the files of MM-Vet: questions, answers, grades and tables."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from janus_bench.suite.predicted import Keyed, one_file, read_keyed
from janus_bench.suite.reading import field as checked
from janus_bench.suite.rows import read_rows
from janus_core.errors import UserError

WRONG = "is this file in the format of MM-Vet?"


@dataclass(frozen=True, slots=True)
class Asked:
    """One question.

    Attributes:
        truth: with ``<AND>`` and ``<OR>`` between its elements.
        capabilities: in the order of the file.
    """

    id: str
    image: str
    text: str
    truth: str
    capabilities: tuple[str, ...]


@dataclass(slots=True)
class Grades:
    """What the judge gave an answer, run by run: its model, the reply, the grade in [0, 1] or NaN."""

    model: list[str] = field(default_factory=list)
    content: list[str] = field(default_factory=list)
    score: list[float] = field(default_factory=list)


def read_questions(path: Path) -> dict[str, Asked]:
    """The questions of ``mm-vet.json``, or of rows with a ``question_id`` (Parquet, JSON), in their order.

    Raises:
        UserError: the file holds none, or a malformed one; it is named.
    """
    path = one_file(path, ("mm-vet.json", "*.parquet"), "MM-Vet's questions")
    whole = None if path.suffix in (".parquet", ".jsonl") else read_keyed(path)
    if isinstance(whole, Keyed):
        if whole.repeated:
            raise UserError(f"{path} has {whole.repeated[0]} more than once", "keep one of them")
        pairs = list(whole.items())
    else:
        pairs = [(checked(row, "question_id", str, f"{path}, a row"), row) for row in read_rows(path)]
    if not pairs:
        raise UserError(f"{path} holds no question", WRONG)
    return {name: _asked(name, record, f"{path}, {name}") for name, record in pairs}


def find_predictions(path: Path) -> tuple[Path, bool]:
    """The file of answers or of grades, and whether it holds grades; of a folder that has both the grades.

    Raises:
        UserError: a folder holds none, or several.
    """
    if path.is_dir():
        grades = sorted(path.glob("*-grade-*runs.json")) or sorted(path.glob("*/*-grade-*runs.json"))
        path = one_file(path, ("*-grade-*runs.json",), "answers or grades") if len(grades) != 1 else grades[0]
    whole = read_keyed(path) if path.suffix == ".json" else None
    return path, isinstance(whole, dict) and any(isinstance(one, dict) and "score" in one for one in whole.values())


def read_grades(path: Path) -> dict[str, Grades]:
    """An official file of grades: ``{id: {model: [...], content: [...], score: [...]}}``.

    Raises:
        UserError: it is malformed, or a grade is no number from 0 to 1; the item is named.
    """
    whole = read_keyed(path)
    if isinstance(whole, Keyed) and whole.repeated:
        raise UserError(f"{path} grades {whole.repeated[0]} more than once", "keep one of them")
    found = {}
    for name, record in whole.items():
        place = f"{path}, {name}"
        if not isinstance(record, dict):
            raise UserError(f"{place} is {record!r}, not an object", WRONG)
        scores = [_grade(one, place) for one in checked(record, "score", list, place)]
        contents = [str(one) for one in checked({"content": scores} | record, "content", list, place)]
        models = [str(one) for one in checked({"model": [""] * len(scores)} | record, "model", list, place)]
        if not len(scores) == len(contents) == len(models):
            raise UserError(
                f"{place} has {len(scores)} scores, {len(contents)} contents and {len(models)} models",
                "each run has one of each",
            )
        found[name] = Grades(models, contents, scores)
    return found


def write_grades(path: Path, grades: Mapping[str, Grades]) -> None:
    """Write an official file of grades."""
    whole = {name: {"model": one.model, "content": one.content, "score": one.score} for name, one in grades.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole, indent=4), encoding="utf-8")


def write_table(path: Path, row: Mapping[str, str]) -> None:
    """Write one of the two official tables, as pandas writes it: one row, its first column the model's name."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(row.keys())
        writer.writerow(row.values())


def write_part(source: Path, target: Path, ids: Sequence[str]) -> None:
    """Write these questions only, in the official format."""
    whole = read_keyed(source)
    target.write_text(json.dumps({name: whole[name] for name in ids}, indent=4), encoding="utf-8")


def _asked(name: str, record: Any, place: str) -> Asked:
    if not isinstance(record, dict):
        raise UserError(f"{place} is {str(record)[:60]}, not an object", WRONG)
    capabilities = checked(record, "capability", (list, str), place)
    if isinstance(capabilities, str):
        capabilities = [one.strip() for one in capabilities.split(",")]
    return Asked(
        name,
        str(record.get("imagename", name)),
        checked(record, "question", str, place),
        checked(record, "answer", str, place),
        tuple(dict.fromkeys(map(str, capabilities))),
    )


def _grade(value: Any, place: str) -> float:
    """A NaN is a grade to the official code."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or value > 1:
        raise UserError(f"{place}: {value!r} is no score from 0 to 1", WRONG)
    return float(value)
