"""What a benchmark gives back: a score card of numbers, and the items that they are computed from.

A number must be computable again from the items alone: intervals, comparisons of two runs and the check of a report do
that. So an item carries what the benchmark's ``aggregate`` reads of it, and nothing is kept beside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from janus_core.interfaces import Task

Unit = Literal["share", "points", "distance"]
"""``share``: a fraction, printed in per cent; ``points``: the benchmark's own scale; ``distance``: less is better."""

Status = Literal["scored", "unparsed", "missing"]


@dataclass(frozen=True, slots=True)
class ScoredItem:
    """One item of a benchmark after scoring.

    Attributes:
        id: stable over runs and toolkits, unique in the benchmark; runs are compared by it.
        cluster: items that share it are not independent (questions about one picture, pictures of one prompt).
        score: what the item is worth by itself, in [0, 1]; None where only a set has a value (FID).
        parsed: what the scorer read out of the prediction.
        status: ``unparsed`` if the scorer could make nothing of the prediction, ``missing`` if there was none. Both
            keep their place in the denominator.
        facts: what the aggregate reads besides (split, subtask, label ...); JSON-able.
    """

    id: str
    cluster: str
    score: float | None
    parsed: str | None = None
    status: Status = "scored"
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Score:
    """One number of a benchmark with the numbers that it must be read beside.

    Attributes:
        name: what is measured.
        value: the number, in ``unit``; NaN if it is not defined (precision without a positive answer).
        total: how many answers or pictures it is computed from.
        correct: how many of them are right, where the value is ``correct / total``; else None.
        unit: ``share`` (a fraction), ``points`` (the benchmark's own scale) or ``distance`` (less is better).
        baselines: name -> value in the same unit (majority, blind, chance ...).
        ceilings: name -> value that a perfect model could reach under this measurement.
        task: the side of the model that it measures; the first score of a side stands for it in tables of many models.
    """

    name: str
    value: float
    total: int
    correct: int | None = None
    unit: Unit = "share"
    baselines: Mapping[str, float] = field(default_factory=dict)
    ceilings: Mapping[str, float] = field(default_factory=dict)
    task: Task | None = None


def share(
    name: str,
    correct: int,
    total: int,
    baselines: Mapping[str, float] | None = None,
    ceilings: Mapping[str, float] | None = None,
    task: Task | None = None,
) -> Score:
    """The score ``correct / total``; 0 of 0 is 0."""
    value = correct / total if total else 0.0
    return Score(name, value, total, correct, "share", baselines or {}, ceilings or {}, task)


@dataclass(slots=True)
class ScoreCard:
    """What a benchmark gives back.

    Attributes:
        benchmark: its name.
        protocol: the way of prompting and scoring, ``name@protocol``.
        version: of the protocol; numbers of two versions are not compared.
        scores: the numbers; the first is the one that papers print.
        items: one record an item, in the benchmark's order.
        records: per item, what a reader wants to see (question, answer, truth ...), in any form that JSON has.
        details: further numbers and tables of the official scorer; JSON-able.
        warnings: what a reader of the numbers must know, and what the official code would have done in its place.
        settings: what shaped the predictions (prompts, sampling, seeds, judge, extractor); JSON-able.
        stand_in: why the numbers must not be reported (a judge or detector made for tests); empty otherwise.
        pictures: PIL images by file name.
        attribution: what must stand beside the pictures (authors, licence).
    """

    benchmark: str
    protocol: str
    version: int
    scores: list[Score]
    items: list[ScoredItem] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    stand_in: str = ""
    pictures: dict[str, Any] = field(default_factory=dict)
    attribution: str = ""

    @property
    def missing(self) -> int:
        """Items without a prediction; they are wrong, not left out."""
        return sum(item.status == "missing" for item in self.items)

    @property
    def unparsed(self) -> int:
        """Items whose prediction the scorer could make nothing of."""
        return sum(item.status == "unparsed" for item in self.items)


Aggregate = Callable[[Sequence[ScoredItem]], Mapping[str, float]]
"""Items (some perhaps several times, as in a resample) -> score name -> value; NaN where it is not defined."""
