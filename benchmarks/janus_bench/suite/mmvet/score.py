"""Scores graded answers as mm-vet_evaluator.py of yuweihao/MM-Vet (acde843) does."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from janus_bench.suite.mmvet.files import Asked, Grades
from janus_bench.suite.mmvet.grade import read_grade
from janus_core.scores import Score, ScoredItem, Status

CAPABILITIES = ("rec", "ocr", "know", "gen", "spat", "math")


def score_items(
    questions: Mapping[str, Asked], grades: Mapping[str, Grades], runs: int, repaired: bool = False
) -> list[ScoredItem]:
    """One item a question, worth its mean grade; without grades it is worth 0 in every run."""
    items = []
    for name, asked in questions.items():
        given = grades.get(name) or Grades([""] * runs, [""] * runs, [0.0] * runs)
        each, replies = given.score[:runs], given.content[:runs]
        if repaired:
            each = [0.0 if math.isnan(one) else one for one in each]
        # a sixth reply is stored whole and not read: it may look like a grade, and is worth 0
        graded = all(one != 0 or read_grade(text, repaired) == 0 for text, one in zip(replies, each, strict=True))
        status: Status = "missing" if name not in grades else "scored" if graded else "unparsed"
        facts = {"grades": each, "capabilities": list(asked.capabilities)}
        parsed = " ".join(replies) if name in grades else None
        items.append(ScoredItem(name, f"image {asked.image}", float(np.mean(each)), parsed, status, facts))
    return items


def scores(items: Sequence[ScoredItem]) -> list[Score]:
    """The mean grade of all answers, and of those that need a capability."""
    found = [_score("total", items)]
    present = [one for item in items for one in item.facts["capabilities"]]
    for capability in (*CAPABILITIES, *sorted(set(present) - set(CAPABILITIES))):
        found.append(_score(capability, [item for item in items if capability in item.facts["capabilities"]]))
    return found


def official_tables(items: Sequence[ScoredItem], model: str) -> tuple[dict[str, str], dict[str, str]]:
    """The rows of the tables by capability and by set of capabilities, as pandas writes them.

    Capabilities stand by falling number of questions, then by first occurrence, and in the names of sets in the order
    of the file. The official order of equal numbers and the names change with PYTHONHASHSEED and with the machine.
    """
    single: dict[str, list[ScoredItem]] = {}
    together: dict[frozenset[str], tuple[str, list[ScoredItem]]] = {}
    for item in items:
        needed = item.facts["capabilities"]
        for capability in needed:
            single.setdefault(capability, []).append(item)
        together.setdefault(frozenset(needed), ("_".join(needed), []))[1].append(item)
    runs = _by_run(items) * 100
    last = {
        "total": _cell(runs.mean()),
        "std": _cell(runs.std()),
        "runs": str(list(np.round(runs, 1))),
    }

    def row(parts: Iterable[tuple[str, list[ScoredItem]]]) -> dict[str, str]:
        by_count = sorted(parts, key=lambda pair: -len(pair[1]))
        return {"": model} | {name: _cell((_by_run(part) * 100).mean()) for name, part in by_count} | last

    return row(single.items()), row(together.values())


def _by_run(items: Sequence[ScoredItem]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """float64 [runs]: the mean grade of each run, summed item by item as the official code does."""
    total = np.zeros(len(items[0].facts["grades"]))
    for item in items:
        total = total + np.array(item.facts["grades"])
    return total / len(items)


def _score(name: str, items: Sequence[ScoredItem]) -> Score:
    value = float(_by_run(items).mean()) if items else math.nan
    return Score(name, value, len(items), task="understanding")


def _cell(value: np.float64) -> str:
    """One decimal; pandas writes nothing for NaN."""
    return "" if math.isnan(value) else str(float(np.round(value, 1)))
