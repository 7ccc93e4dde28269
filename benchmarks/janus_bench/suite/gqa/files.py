"""Reads and writes the files of GQA."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from janus_bench.suite.predicted import one_file
from janus_bench.suite.reading import field, read_json
from janus_bench.suite.rows import read_rows
from janus_core.errors import UserError

WRONG = "is this a file of questions of GQA?"
QUERYING = ("exist", "query: name", "choose name")
"""Operations that are no reasoning step."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question and its answer.

    Attributes:
        steps: reasoning steps, without those that only ask.
        group: what the answer is compared with in the distribution; None: it takes no part.
        detailed: the finest type.
    """

    id: str
    text: str
    answer: str
    image: str
    balanced: bool
    structural: str
    semantic: str
    detailed: str
    steps: int
    group: str | None
    entailed: tuple[str, ...]

    @property
    def words(self) -> int:
        return len(self.text.split())


@dataclass(frozen=True, slots=True)
class Choices:
    """Answers that are of the right kind (valid), and that occur in the world (plausible), by question."""

    valid: Mapping[str, Collection[str]]
    plausible: Mapping[str, Collection[str]]


def questions_file(path: Path) -> Path:
    """The file of questions at ``path``, a file or a folder."""
    return one_file(path, ("*questions.json", "*.parquet"), "GQA's questions")


def read_questions(path: Path) -> dict[str, Asked]:
    """The questions by id, in the order of the file: the official object, or rows with an ``id`` (Parquet, JSON).

    Raises:
        UserError: the file holds none, or a malformed one; it is named.
    """
    path = questions_file(path)
    whole = None if path.suffix in (".parquet", ".jsonl") else read_json(path)
    if isinstance(whole, dict):
        pairs = list(whole.items())
    else:
        pairs = [(str(field(row, "id", (str, int), f"{path}, a row")), row) for row in read_rows(path)]
    if not pairs:
        raise UserError(f"{path} holds no question", WRONG)
    return {name: _asked(name, record, f"{path}, question {name}") for name, record in pairs}


def read_choices(questions: Path) -> Choices | None:
    """The choices that lie beside the questions (``…_choices.json`` for ``…_questions.json``), if there are any."""
    path = questions_file(questions)
    beside = path.with_name(path.name.replace("questions", "choices"))
    if beside == path or not beside.is_file():
        return None
    valid, plausible = {}, {}
    for name, record in _object(read_json(beside), beside).items():
        place = f"{beside}, question {name}"
        record = _object(record, place)
        valid[name] = frozenset(map(str, field(record, "valid", list, place)))
        plausible[name] = frozenset(map(str, field(record, "plausible", list, place)))
    return Choices(valid, plausible)


def write_part(questions: Path, folder: Path, ids: Collection[str]) -> Path:
    """Write these questions, and their choices if there are any, in the official format; where the questions lie."""
    source = questions_file(questions)
    target = folder / source.name
    for name in (source.name, source.name.replace("questions", "choices")):
        if source.with_name(name).is_file():
            kept = {key: value for key, value in read_json(source.with_name(name)).items() if key in ids}
            (folder / name).write_text(json.dumps(kept), encoding="utf-8")
    return target


def write_predictions(path: Path, answers: Mapping[str, str]) -> None:
    """Write what eval.py takes: ``[{questionId, prediction}]``."""
    records = [{"questionId": name, "prediction": text} for name, text in answers.items()]
    path.write_text(json.dumps(records), encoding="utf-8")


def write_answers(path: Path, answers: Mapping[str, str], prompts: Mapping[str, str]) -> None:
    """Write LLaVA's lines: ``{question_id, prompt, text, ...}``."""
    lines = [
        json.dumps({"question_id": name, "prompt": prompts[name], "text": text, "metadata": {}})
        for name, text in answers.items()
    ]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _asked(name: str, record: Any, place: str) -> Asked:
    record = _object(record, place)
    types = _object(field(record, "types", dict, place), place)
    groups = _object(record.get("groups") or {}, place)
    steps = [_object(step, f"{place}, semantic") for step in _list(record.get("semantic"), place, "semantic")]
    operations = [f"{step.get('operation')}: {step.get('argument')}" for step in steps]
    return Asked(
        id=name,
        text=field(record, "question", str, place),
        answer=field(record, "answer", str, place),
        image=str(record.get("imageId", "")),
        balanced=field(record, "isBalanced", bool, place),
        structural=field(types, "structural", str, f"{place}, types"),
        semantic=field(types, "semantic", str, f"{place}, types"),
        detailed=str(types.get("detailed") or ""),
        steps=sum(not any(asks in one for asks in QUERYING) for one in operations),
        group=None if groups.get("global") is None else str(groups["global"]),
        entailed=_entailed(record.get("entailed"), place),
    )


def _entailed(value: Any, place: str) -> tuple[str, ...]:
    """The ids; rows of Hugging Face hold them as one text."""
    if isinstance(value, str):
        return tuple(part.strip(" '\"") for part in value.strip("[]").split(",") if part.strip(" '\""))
    return tuple(map(str, _list(value, place, "entailed")))


def _list(value: Any, place: str, name: str) -> list[Any]:
    """A list; empty where there is none."""
    if value is None or isinstance(value, list):
        return value or []
    raise UserError(f"{place}: {name!r} is {str(value)[:60]}, not a list", WRONG)


def _object(value: Any, place: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UserError(f"{place} is {str(value)[:60]}, not an object", WRONG)
    return value
