"""Answers to SEED-Bench: letters as LLaVA, lmms-eval and the submission have them, losses of the options."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from janus_bench.suite.once import match_once
from janus_bench.suite.predicted import Matched, match, one_file, read_answers
from janus_bench.suite.reading import field, named, read_lines, read_text
from janus_bench.suite.seed.files import LETTERS, Item
from janus_bench.suite.tables import TABLES, read_table
from janus_core.errors import UserError

ANSWERS = ("answers*.jsonl", "predictions*.jsonl", "results.json", "*.jsonl")
LOSSES = ("choice_losses.json", *ANSWERS)
AGREE = "the copies agree"
UNKNOWN = "the official code asks all itself"


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
