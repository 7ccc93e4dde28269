"""Scores MMBench's questions as VLMEvalKit does with exact matching: each once, or each with all its rotations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from janus_bench.suite.choices import infer
from janus_bench.suite.mmbench.files import Answers, Row
from janus_core.scores import ScoredItem, Status

ABBREVIATIONS = {
    "coarse_perception": "CP",
    "finegrained_perception (instance-level)": "FP-S",
    "finegrained_perception (cross-instance)": "FP-C",
    "logic_reasoning": "LR",
    "relation_reasoning": "RR",
    "attribute_reasoning": "AR",
}
UNRESOLVED = "Failed in Prefetch, no GPT-based answer matching under `exact_matching` policy."
MISSING = "No prediction."
NAN = "nan"
"""What pandas makes of a blank answer; the official code matches this text with the options."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A row with what its answer means.

    Attributes:
        text: the answer as the official code sees it.
        letter: of the option, "Z" for none of them; None: not resolved. An extractor would only fill these in.
    """

    row: Row
    text: str
    letter: str | None
    status: Status


def judge_row(row: Row, answers: Answers, *, literal: bool) -> Judged:
    """Resolve an answer by exact matching."""
    if row.index not in answers.texts:
        return Judged(row, "", None, "missing")
    given = answers.texts[row.index]
    text = given if given is not None else "" if literal else NAN
    choices = answers.choices.get(row.index, row.choices)
    letter = infer(text, choices) if text else None
    return Judged(row, text, letter, "scored" if letter and given is not None else "unparsed")


def vanilla(rows: Sequence[Judged]) -> tuple[list[ScoredItem], dict[str, str]]:
    """One item a row, and the official log lines by id."""
    items, logs = [], {}
    for judged in rows:
        name = str(judged.row.index)
        hit = judged.letter == judged.row.answer
        items.append(_item(judged.row, hit, judged.letter, judged.status))
        said = judged.text if judged.letter else MISSING if judged.status == "missing" else UNRESOLVED
        logs[name] = f"Match Log: {said}. "
    return items, logs


def circular(rows: Sequence[Judged]) -> tuple[list[ScoredItem], dict[str, str]]:
    """One item a question, right if every rotation is; a rotation without an answer is wrong."""
    groups: dict[int, list[Judged]] = {}
    for judged in rows:
        groups.setdefault(judged.row.group, []).append(judged)
    items, logs = [], {}
    for group, rotations in groups.items():
        base = next((judged.row for judged in rotations if judged.row.index == group), None)
        if base is None:
            continue
        hit, log = _prefetched(rotations)
        statuses: set[Status] = {judged.status for judged in rotations}
        status: Status = "missing" if "missing" in statuses else "unparsed" if log == UNRESOLVED else "scored"
        letters = " ".join(judged.letter or "?" for judged in rotations)
        items.append(_item(base, hit, letters, status))
        logs[str(group)] = log
    return items, logs


def _prefetched(rotations: Sequence[Judged]) -> tuple[bool, str]:
    for number, judged in enumerate(rotations):
        if judged.letter and judged.letter != judged.row.answer:
            return False, (
                f"Failed in Prefetching Rolling {number}: Answer is {judged.row.answer}, "
                f"Prediction is {judged.text}, Pre-fetched is {judged.letter}. "
            )
    if all(judged.letter for judged in rotations):
        return True, "Succeed During Pre-fetching"
    return False, MISSING if any(judged.status == "missing" for judged in rotations) else UNRESOLVED


def _item(row: Row, hit: bool, parsed: str | None, status: Status) -> ScoredItem:
    facts = {"split": row.split, "l2-category": row.l2, "category": row.category}
    return ScoredItem(str(row.index), str(row.group), float(hit), parsed, status, facts)


def parts(items: Sequence[ScoredItem]) -> Mapping[str, list[float]]:
    """The scores of the items of each line of VLMEvalKit's report: all, the abilities, the categories."""
    found: dict[str, list[float]] = {"Overall": [item.score or 0.0 for item in items]}
    for level in ("l2-category", "category"):
        by_name: dict[str, list[float]] = {}
        for item in items:
            if name := item.facts[level]:
                by_name.setdefault(name, []).append(item.score or 0.0)
        found |= {ABBREVIATIONS.get(name, name): by_name[name] for name in sorted(by_name)}
    return found


def aggregate(items: Sequence[ScoredItem]) -> dict[str, float]:
    """The share of right questions: all, the abilities, the categories."""
    return {name: sum(scores) / len(scores) for name, scores in parts(items).items() if scores}
