"""Reads and writes the files of VQAv2."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from janus_bench.suite.predicted import one_file
from janus_bench.suite.reading import field, read_json
from janus_bench.suite.rows import read_rows
from janus_core.errors import UserError


@dataclass(frozen=True, slots=True)
class Annotation:
    """What people answered to one question.

    Attributes:
        answers: text and identity (all other fields) of each answer; two answers that agree in both are one.
    """

    question_id: str
    image_id: str
    question_type: str
    answer_type: str
    answers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: the words, and the number of its picture."""

    question_id: str
    image_id: int
    text: str


def annotations_file(path: Path) -> Path:
    """The file of annotations at ``path``, a file or a folder."""
    return one_file(path, ("*annotations.json", "*.parquet"), "VQAv2's annotations")


def read_annotations(path: Path) -> list[Annotation]:
    """The annotations of an official file, or of rows of the same fields (Parquet, JSON).

    Raises:
        UserError: the file holds none, or a malformed one; it is named.
    """
    path = annotations_file(path)
    records: list[Any]
    whole = None if path.suffix in (".parquet", ".jsonl") else read_json(path)
    if isinstance(whole, dict):
        if "annotations" not in whole and "questions" in whole:
            raise UserError(f"{path} holds questions and no answers", "give v2_mscoco_val2014_annotations.json")
        records = field(whole, "annotations", list, path)
    else:
        records = read_rows(path)
    found = [_annotation(record, f"{path}, annotation {number}") for number, record in enumerate(records, 1)]
    if not found:
        raise UserError(f"{path} holds no annotation", "is this the right file?")
    seen: set[str] = set()
    for one in found:
        if one.question_id in seen:
            raise UserError(f"{path} annotates question {one.question_id} twice", "keep one of them")
        seen.add(one.question_id)
    return found


def read_questions(path: Path) -> tuple[str, list[Asked]]:
    """``data_subtype`` and the questions of an official file."""
    whole = read_json(path)
    if not isinstance(whole, dict):
        raise UserError(f"{path} is not an object with 'questions'", "give v2_OpenEnded_mscoco_*_questions.json")
    found = []
    for number, record in enumerate(field(whole, "questions", list, path), 1):
        place = f"{path}, question {number}"
        if not isinstance(record, dict):
            raise UserError(f"{place} is not a JSON object", "is this the right file?")
        name = field(record, "question_id", (int, str), place)
        image = field(record, "image_id", int, place)
        found.append(Asked(str(name), image, field(record, "question", str, place)))
    return str(whole.get("data_subtype", "")), found


def write_results(path: Path, answers: Iterable[tuple[str, str]]) -> None:
    """Write the results file of the official scorer and of EvalAI: ``[{question_id, answer}]``."""
    records = [{"question_id": int(name) if name.isdecimal() else name, "answer": text} for name, text in answers]
    path.write_text(json.dumps(records), encoding="utf-8")


def write_annotations(source: Path, path: Path, ids: Mapping[str, str]) -> None:
    """Write the annotations of these questions only, in the official format."""
    whole = read_json(annotations_file(source))
    whole["annotations"] = [record for record in whole["annotations"] if str(record["question_id"]) in ids]
    path.write_text(json.dumps(whole), encoding="utf-8")


def _annotation(record: Any, place: str) -> Annotation:
    if not isinstance(record, dict):
        raise UserError(f"{place} is not a JSON object", "is this the right file?")
    name = str(field(record, "question_id", (int, str), place))
    place = f"{place} (question {name})"
    answers = []
    for answer in field(record, "answers", list, place):
        if not isinstance(answer, dict):
            raise UserError(f"{place}: an answer is {answer!r}, not an object", "is this the right file?")
        text = field(answer, "answer", str, place)
        answers.append((text, repr(sorted((k, v) for k, v in answer.items() if k != "answer"))))
    if not answers:
        raise UserError(f"{place} has no answers", "give the annotations with the people's answers")
    return Annotation(
        name,
        str(field(record, "image_id", (int, str), place)),
        field(record, "question_type", str, place),
        field(record, "answer_type", str, place),
        tuple(answers),
    )
