"""Reads answers as yes, no or other, and sums up points, as MME's ``calculation.py`` does."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from janus_bench.suite.mme.pairs import Pair
from janus_bench.suite.mme.spec import COGNITION, PERCEPTION, SUBTASKS
from janus_core.scores import ScoredItem, Status

YES_OR_NO = re.compile(r"(?<!\w)(yes|no)(?!\w)")


def read_official(response: str) -> str:
    """yes if it stands within the first four characters, else no if that does, else other; case does not matter."""
    start = response.lower()[:4]
    return "yes" if "yes" in start else "no" if "no" in start else "other"


def read_repaired(response: str) -> str:
    """The first word that is yes or no, else other."""
    found = YES_OR_NO.search(response.casefold())
    return found[1] if found else "other"


def judge(pairs: Sequence[Pair], read: Callable[[str], str]) -> list[ScoredItem]:
    """One item a question.

    Whether both questions of the picture are right is a fact of each of them, so that a share of items is a share of
    pictures, however often an item occurs.
    """
    found = []
    for pair in pairs:
        parsed = [None if line is None or line.response is None else read(line.response) for line in pair.lines]
        right = [line is not None and p == line.truth for line, p in zip(pair.lines, parsed, strict=True)]
        for number, (line, p, hit) in enumerate(zip(pair.lines, parsed, right, strict=True), 1):
            status: Status = "missing" if p is None else "unparsed" if p == "other" else "scored"
            facts = {"subtask": pair.subtask, "truth": line and line.truth, "both": all(right)}
            found.append(ScoredItem(f"{pair.id}#{number}", pair.cluster, float(hit), p, status, facts))
    return found


def aggregate(items: Sequence[ScoredItem]) -> dict[str, float]:
    """Perception, Cognition and the subtasks that occur, in points."""
    points = {name: 100 * acc + 100 * plus for name, (acc, plus) in accuracies(items).items()}
    sides = {"Perception": PERCEPTION, "Cognition": COGNITION}
    return {side: sum(points.get(name, 0.0) for name in names) for side, names in sides.items()} | points


def accuracies(items: Sequence[ScoredItem]) -> dict[str, tuple[float, float]]:
    """Of each subtask that occurs the share of questions that are right, and of pictures with both right."""
    counts: dict[str, list[int]] = {}
    for item in items:
        cell = counts.setdefault(item.facts["subtask"], [0, 0, 0])
        cell[0] += 1
        cell[1] += item.score == 1.0
        cell[2] += item.facts["both"]
    return {name: (counts[name][1] / counts[name][0], counts[name][2] / counts[name][0]) for name in SUBTASKS
            if name in counts}  # fmt: skip


def detail(items: Sequence[ScoredItem]) -> dict[str, Any]:
    """The official numbers of one subtask; answers that are other are left out of all but ``other_num`` and ``acc``."""
    cells = [(item.facts["truth"], item.parsed) for item in items]
    tp, fn = cells.count(("yes", "yes")), cells.count(("yes", "no"))
    tn, fp = cells.count(("no", "no")), cells.count(("no", "yes"))
    ((acc, plus),) = accuracies(items).values()
    return {
        "TP": tp,
        "FN": fn,
        "TN": tn,
        "FP": fp,
        "precision": tp / (tp + fp) if tp + fp else 0.0,
        "recall": tp / (tp + fn) if tp + fn else 0.0,
        "other_num": sum(item.parsed == "other" for item in items),
        "acc": acc,
        "acc_plus": plus,
    }
