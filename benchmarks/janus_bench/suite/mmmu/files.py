"""Reads and writes the files of MMMU: outputs by subject, answer files, and the data set's rows."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from janus_bench.suite.mmmu.subjects import SUBJECTS, subject_of
from janus_bench.suite.predicted import Keyed, one_file, read_answers, read_keyed
from janus_bench.suite.reading import field
from janus_bench.suite.rows import read_rows
from janus_core.errors import UserError

WRONG = "is this file in the format of MMMU?"
CHOICE = "multiple-choice"
HIDDEN = "?"
"""What the rows of the test split have for an answer."""


@dataclass(frozen=True, slots=True)
class Item:
    """One question as it is scored.

    Attributes:
        truth: the letters or texts that are right.
        choices: letters; empty for open questions, and where the file does not tell.
        options: letter -> text, likewise.
    """

    id: str
    subject: str
    kind: str
    truth: tuple[str, ...]
    choices: tuple[str, ...] = ()
    options: Mapping[str, str] | None = None

    @property
    def is_choice(self) -> bool:
        return self.kind == CHOICE


@dataclass(frozen=True, slots=True)
class Output:
    """A response; ``item`` is None where the file holds responses alone. ``response`` None: the file has none."""

    id: str
    response: str | None
    item: Item | None = None


def read_outputs(path: Path) -> list[Output]:
    """Responses: ``<Subject>/output.json`` in the official order of subjects, one such file, or one of responses by id.

    Raises:
        UserError: the files are malformed; file and item are named.
    """
    if path.is_dir() and (folders := _subject_files(path)):
        return [output for subject, file in folders for output in _records(file, subject)]
    path = one_file(path, ("total_*output*.json",), "MMMU's outputs")
    if path.suffix == ".json" and isinstance(whole := read_keyed(path), list) and _carries_answers(whole):
        return _records(path, None)
    return [
        Output(name, text) for name, text in read_answers(path, ("id", "question_id"), ("response", "text", "answer"))
    ]


def empty_subjects(path: Path) -> list[str]:
    """Subjects whose file of outputs has none."""
    return [subject for subject, file in _subject_files(path) if read_keyed(file) == []] if path.is_dir() else []


def read_items(path: Path) -> list[Item]:
    """Questions with their answers: an answer file by id, outputs by subject, or rows of the data set.

    Raises:
        UserError: the files are malformed or hold no answers.
    """
    if path.is_dir() and not _subject_files(path) and any(path.rglob("*.parquet")):
        return [item_of(row, f"{path}, {row.get('id')}") for row in read_rows(path)]
    if path.is_dir() and _subject_files(path):
        return [output.item for output in read_outputs(path) if output.item is not None]
    path = one_file(path, ("answer_dict*.json",), "MMMU's answers")
    if path.suffix == ".json" and isinstance(whole := read_keyed(path), Keyed):
        if whole.repeated:
            raise UserError(f"{path} answers {whole.repeated[0]} more than once", "keep one of them")
        return [_answered(name, record, f"{path}, {name}") for name, record in whole.items()]
    return [item_of(row, f"{path}, row {number}") for number, row in enumerate(read_rows(path), 1)]


def item_of(row: Mapping[str, Any], place: str) -> Item:
    """The question of a row of the data set; ``options`` and lists of answers are lists, or texts of Python lists."""
    name = field(row, "id", str, place)
    if "all_choices" in row or "index2ans" in row or "options" not in row:
        return _item(name, subject_of(name), row, "answer", place)
    options = [str(one) for one in python_list(row["options"], f"{place} ({name}), options")]
    letters = tuple(chr(ord("A") + number) for number in range(len(options)))
    truth = field(row, "answer", (str, list), place)
    if isinstance(truth, str) and truth.startswith("[") and row.get("question_type") != CHOICE:
        truth = python_list(truth, f"{place} ({name}), answer")
    kind = field(row, "question_type", str, place)
    return Item(name, subject_of(name), kind, _texts(truth), letters, dict(zip(letters, options, strict=True)))


def python_list(value: Any, place: str) -> list[Any]:
    """A list, or one written as Python writes it.

    Raises:
        UserError: it is neither.
    """
    try:
        found = ast.literal_eval(value) if isinstance(value, str) else value
    except (ValueError, SyntaxError) as error:
        raise UserError(f"{place}: {value!r} is not a list ({error})", WRONG) from None
    if not isinstance(found, list):
        raise UserError(f"{place}: {value!r} is not a list", WRONG)
    return found


def write_outputs(folder: Path, items: Iterable[Item], responses: Mapping[str, str]) -> None:
    """Write ``<Subject>/output.json`` for main_parse_and_eval.py."""
    by_subject: dict[str, list[dict[str, Any]]] = {}
    for item in items:
        record: dict[str, Any] = {"id": item.id, "question_type": item.kind if item.is_choice else "short-answer"}
        record["answer"] = list(item.truth) if len(item.truth) != 1 else item.truth[0]
        if item.is_choice:
            record |= {"all_choices": list(item.choices), "index2ans": dict(item.options or {})}
        by_subject.setdefault(item.subject, []).append(record | {"response": responses[item.id]})
    for subject, records in by_subject.items():
        (folder / subject).mkdir(parents=True, exist_ok=True)
        write_json(folder / subject / "output.json", records)


def write_answer_file(path: Path, items: Iterable[Item]) -> None:
    """Write the answers by id for main_eval_only.py."""
    write_json(
        path,
        {
            item.id: {
                "question_type": item.kind if item.is_choice else "short-answer",
                "ground_truth": list(item.truth) if len(item.truth) != 1 else item.truth[0],
            }
            for item in items
        },
    )


def write_json(path: Path, content: Any) -> None:
    """Indented by four, as the official program writes."""
    path.write_text(json.dumps(content, indent=4), encoding="utf-8")


def _subject_files(folder: Path) -> list[tuple[str, Path]]:
    found = {file.parent.name: file for file in folder.glob("*/output.json")}
    known = [subject for subject in SUBJECTS if subject in found]
    return [(subject, found[subject]) for subject in [*known, *sorted(found.keys() - set(known))]]


def _carries_answers(records: list[Any]) -> bool:
    return any(isinstance(record, dict) and "question_type" in record for record in records)


def _records(file: Path, subject: str | None) -> list[Output]:
    records = read_keyed(file)
    if not isinstance(records, list):
        raise UserError(f"{file} is no list of outputs", WRONG)
    found = []
    for number, record in enumerate(records, 1):
        place = f"{file}, item {number}"
        if not isinstance(record, dict):
            raise UserError(f"{place} is {str(record)[:60]}, not an object", WRONG)
        name = field(record, "id", str, place)
        response = record.get("response")
        if response is not None:
            response = field(record, "response", str, f"{place} ({name})")
        item = _item(name, subject or subject_of(name), record, "answer", f"{place} ({name})")
        found.append(Output(name, response, item))
    return found


def _answered(name: str, record: Any, place: str) -> Item:
    if not isinstance(record, dict):
        raise UserError(
            f"{place} is {str(record)[:60]}, not an object with 'ground_truth'",
            "give answer_dict_val.json as --annotations; responses by id are --predictions",
        )
    return _item(name, subject_of(name), record, "ground_truth", place)


def _item(name: str, subject: str, record: Mapping[str, Any], truth: str, place: str) -> Item:
    kind = field(record, "question_type", str, place)
    true = _texts(field(record, truth, (str, list), place))
    if kind != CHOICE or "all_choices" not in record:
        return Item(name, subject, kind, true)
    choices = tuple(map(str, field(record, "all_choices", list, place)))
    options = {str(letter): str(text) for letter, text in field(record, "index2ans", dict, place).items()}
    if not choices or not set(options) <= set(choices):
        raise UserError(f"{place}: choices {list(choices)} and options {list(options)} do not go together", WRONG)
    return Item(name, subject, kind, true, choices, options)


def _texts(value: str | list[Any]) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else (value,)
