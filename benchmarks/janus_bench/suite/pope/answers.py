"""Sets files of answers against POPE's labels, whichever toolkit wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from janus_bench.suite.once import match_once
from janus_bench.suite.pope.files import Label, find_questions, labels_of, read_questions, same_question
from janus_bench.suite.predicted import read_answers
from janus_bench.suite.reading import field, named, read_lines
from janus_bench.suite.tables import TABLES, read_table
from janus_core.errors import UserError

KINDS = "official ({question, answer}), LLaVA ({question_id, text}), lmms-eval (samples) or VLMEvalKit (tsv, xlsx)"
Answers = tuple[dict[str, str], list[str]]
"""Label id -> answer, and what must be said of it."""


def answers_to(labels: Sequence[Label], path: Path, annotations: Path) -> Answers:
    """The answers to labels.

    Raises:
        UserError: a file is malformed or does not belong to the labels; the line is named.
    """
    answers: dict[str, str] = {}
    warnings: list[str] = []
    categories = list(dict.fromkeys(label.category for label in labels))
    for file, names in _files(path, categories).items():
        part = [label for label in labels if label.category in names]
        kind = _kind(file)
        if kind == "official":
            found, said = _by_place(file, part)
        elif kind == "llava":
            found, said = _by_llava_id(file, part, annotations)
        else:
            found, said = _by_their_labels(file, part)
        answers |= found
        warnings += said
    return answers, warnings


def answers_with_labels(path: Path, categories: Sequence[str]) -> tuple[list[Label], dict[str, str], list[str]]:
    """Labels and answers of a file that holds both: lmms-eval's samples, VLMEvalKit's table.

    Raises:
        UserError: the file does not hold the labels.
    """
    labels: dict[str, Label] = {}
    pairs: list[tuple[Label, str]] = []
    for file in _files(path, categories):
        if _kind(file) in ("official", "llava"):
            raise UserError(f"{file} holds answers without labels", "give --annotations: the folder coco/ of POPE")
        more, said = _with_labels(file, categories)
        labels |= {label.id: label for label in more}
        pairs += said
    if not labels:
        raise UserError(f"{path} has no question of {', '.join(categories)}", f"answers are {KINDS}")
    ordered = [label for name in categories for label in labels.values() if label.category == name]
    answers, warnings = _matched([(label.id, text) for label, text in pairs], ordered, path)
    warnings.append("the labels are those of the predictions' own file: questions that it lacks cannot be counted")
    return ordered, answers, warnings


def _files(path: Path, categories: Sequence[str]) -> dict[Path, list[str]]:
    """Files of answers -> categories; a folder has one file a category or one for all."""
    if not path.is_dir():
        return {path: list(categories)}
    suffixes = (".json", ".jsonl", *TABLES)
    files = sorted(f for f in path.iterdir() if f.suffix in suffixes and not f.name.startswith(("coco_", "llava_")))
    named_so = {name: [file for file in files if name in file.name] for name in categories}
    if all(len(found) == 1 for found in named_so.values()):
        return {found[0]: [name] for name, found in named_so.items()}
    if len(files) == 1:
        return {files[0]: list(categories)}
    have = named([file.name for file in files]) or "nothing"
    raise UserError(
        f"{path} should hold one file of answers for each of {', '.join(categories)}, and has {have}",
        f"name the file, or call them {', '.join(f'{name}.jsonl' for name in categories)}",
    )


def _kind(file: Path) -> str:
    if file.suffix in TABLES:
        return "vlmevalkit"
    first = next(iter(read_lines(file)), {"answer": ""})
    if "resps" in first or "filtered_resps" in first:
        return "lmms-eval"
    if "text" in first and "question_id" in first:
        return "llava"
    if "answer" in first:
        return "official"
    raise UserError(f"{file} is in no format that is known here: it has {', '.join(first)}", f"answers are {KINDS}")


def _by_place(file: Path, labels: Sequence[Label]) -> Answers:
    """The official way: answer n is to label n; the question is compared where the file has it."""
    if len({label.category for label in labels}) > 1:
        raise UserError(f"{file} has answers without categories", "give a folder with a file a category")
    records = read_lines(file)
    answers = {}
    for number, (record, label) in enumerate(zip(records, labels, strict=False), 1):
        place = f"{file}, item {number}"
        question = record.get("question", label.text)
        if not isinstance(question, str) or not same_question(question, label.text):
            raise UserError(
                f"{place} answers {question!r}, but question {number} ({label.id}) is {label.text!r}",
                "answers belong to labels by their place: put them in the labels' order, one a question",
            )
        answers[label.id] = field(record, "answer", str, place)
    warnings = []
    if missing := [label.id for label in labels[len(records) :]]:
        warnings.append(f"{len(missing)} questions have no answer and count as wrong; {TRUNCATED}: {named(missing)}")
    if extra := [f"item {number}" for number in range(len(labels) + 1, len(records) + 1)]:
        warnings.append(
            f"{len(extra)} answers of {file.name} belong to no question and are not scored (the official code counts "
            f"them in its yes ratio only): {named(extra)}"
        )
    return answers, warnings


TRUNCATED = "the official code leaves them out, so that its numbers are of the others only"


def _by_llava_id(file: Path, labels: Sequence[Label], annotations: Path) -> Answers:
    known = read_questions(find_questions(annotations), labels)
    pairs = [(known.get(name, name), text) for name, text in read_answers(file, ("question_id",), ("text",))]
    return _matched([(name, text) for name, text in pairs if name], labels, file)


def _by_their_labels(file: Path, labels: Sequence[Label]) -> Answers:
    """By category, picture and question; a table of VLMEvalKit names no picture, so by the number there."""
    by_key = {_key(label): label for label in labels}
    by_id = {label.id: label for label in labels}
    pairs = []
    for said, text in _with_labels(file, list(dict.fromkeys(label.category for label in labels)))[1]:
        label = by_key.get(_key(said)) or by_id.get(said.id)
        if label is not None and (label.yes != said.yes or not same_question(said.text, label.text)):
            raise UserError(
                f"{file} has {said.text!r} for {said.id}, the annotations have {label.text!r}",
                "leave --annotations out: this file says itself what is right",
            )
        pairs.append((said.id if label is None else label.id, text))
    return _matched(pairs, labels, file)


def _with_labels(file: Path, categories: Sequence[str]) -> tuple[list[Label], list[tuple[Label, str]]]:
    pairs = []
    for number, (row, text) in enumerate(_rows(file), 1):
        pairs += [(label, text) for label in labels_of(row, f"{file}, item {number}")]
    pairs = [(label, text) for label, text in pairs if label.category in categories]
    return [label for label, _ in pairs], pairs


def _rows(file: Path) -> list[tuple[dict[str, Any], str]]:
    if file.suffix in TABLES:
        table = enumerate(read_table(file), 1)
        return [(dict(row), field(row, "prediction", str, f"{file}, item {number}")) for number, row in table]
    records = read_lines(file)
    texts = [text for _, text in read_answers(file, ("question_id",), ("text",))]
    return [(field(record, "doc", dict, file), text) for record, text in zip(records, texts, strict=True)]


def _key(label: Label) -> tuple[str, str, str]:
    return label.category, label.image, label.text


def _matched(pairs: Sequence[tuple[str, str]], labels: Sequence[Label], file: Path) -> Answers:
    found = match_once(pairs, {label.id: None for label in labels}, file)
    warnings = found.warnings(
        missing="LLaVA's code sets the others against wrong labels",
        extra="LLaVA's code stops at an id that it does not know",
        repeated="the copies agree; LLaVA's code sets the others against wrong labels",
    )
    return found.by_id, warnings
