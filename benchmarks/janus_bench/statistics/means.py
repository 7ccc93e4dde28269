"""Finds the scores of an aggregate that are means of items' scores, over all items or over those that share a fact.

Nothing is taken on trust: such a score must equal the mean on the items and on resamples of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from janus_core.scores import Aggregate, ScoredItem

SCALES = (1.0, 100.0)
"""A mean may be a share or in per cent."""


@dataclass(frozen=True, slots=True)
class Mean:
    """``scale`` times the mean score of some items.

    Attributes:
        scores: float64 [items], 0 where an item takes no part.
        counts: int64 [items], 1 where it does.
    """

    scores: NDArray[np.float64]
    counts: NDArray[np.int64]
    scale: float = 1.0

    def of(self, places: NDArray[np.int64]) -> float:
        """The mean over the items at these places; NaN of none."""
        count = int(self.counts[places].sum())
        return self.scale * float(self.scores[places].sum()) / count if count else math.nan


def find_means(
    items: Sequence[ScoredItem], aggregate: Aggregate, probes: Iterable[NDArray[np.int64]]
) -> dict[str, Mean] | None:
    """The mean behind each score of the aggregate; None if a score is no mean.

    Args:
        probes: places of the items of some resamples, by which chance agreement is ruled out.
    """
    everything = np.arange(len(items))
    values = aggregate(items)
    possible = _candidates(items)
    found = {name: [mean for mean in possible if _close(value, mean.of(everything))] for name, value in values.items()}
    for places in probes:
        if not all(found.values()):
            return None
        values = aggregate([items[place] for place in places.tolist()])
        found = {
            name: [
                mean
                for mean in means
                if not mean.counts[places].any() or _close(values.get(name, math.nan), mean.of(places))
            ]
            for name, means in found.items()
        }
    return {name: means[0] for name, means in found.items()} if found and all(found.values()) else None


def _candidates(items: Sequence[ScoredItem]) -> list[Mean]:
    """All items, and those that share a fact or an entry of a fact; none where an item has no score of its own."""
    members: dict[tuple[str, object], list[int]] = {("", ""): list(range(len(items)))}
    for place, item in enumerate(items):
        for name, entry in _entries(item.facts):
            members.setdefault((name, entry), []).append(place)
    means = []
    for places in members.values():
        scores = [items[place].score for place in places]
        if any(score is None for score in scores):
            continue
        every, counts = np.zeros(len(items)), np.zeros(len(items), dtype=np.int64)
        every[places], counts[places] = scores, 1
        means += [Mean(every, counts, scale) for scale in SCALES]
    return means


def _entries(facts: Mapping[str, object]) -> Iterable[tuple[str, object]]:
    for name, fact in facts.items():
        for entry in dict.fromkeys(fact) if isinstance(fact, list | tuple) and _plain(*fact) else [fact]:
            if _plain(entry):
                yield name, entry


def _plain(*values: object) -> bool:
    return all(isinstance(value, str | int) for value in values)


def _close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
