"""Cluster bootstrap of any aggregate of items.

Clusters are drawn with replacement, each with all of its items, and the benchmark's own aggregate is computed from what
was drawn. Scores that prove to be means of items' scores (see `means`) are computed for all resamples at once.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from janus_bench.statistics.intervals import Interval
from janus_bench.statistics.means import Mean, find_means
from janus_core.scores import Aggregate, ScoredItem

RESAMPLES = 1000
FEW = 20
"""Clusters below which a percentile interval is known to be too narrow."""
CELLS = 4_000_000
"""Draws that are held at a time."""
PROBES = 5
"""Resamples by which a mean is proved."""

Seed = int | Sequence[int]


def keyed(seed: int, name: str) -> list[int]:
    """A seed of its own for each name (a protocol), for numpy's generators."""
    return [seed, *np.frombuffer(hashlib.sha256(name.encode()).digest(), dtype=np.uint32).tolist()]


@dataclass(frozen=True, slots=True)
class Clusters:
    """Which items belong together, clusters in the order of their first item.

    Attributes:
        places: per cluster, the places of its items in the list of items.
        owner: int64 [items], the cluster of each.
    """

    places: list[NDArray[np.int64]]
    owner: NDArray[np.int64]

    @classmethod
    def of(cls, items: Sequence[ScoredItem]) -> Clusters:
        """By ``item.cluster``; `ValueError` of no items."""
        if not items:
            raise ValueError("no items cannot be resampled")
        places: dict[str, list[int]] = {}
        for place, item in enumerate(items):
            places.setdefault(item.cluster, []).append(place)
        owner = np.empty(len(items), dtype=np.int64)
        for number, own in enumerate(places.values()):
            owner[own] = number
        return cls([np.array(own) for own in places.values()], owner)

    def __len__(self) -> int:
        return len(self.places)

    def drawn(self, draw: NDArray[np.int64]) -> NDArray[np.int64]:
        """The places of the items of a draw, cluster by cluster."""
        return np.concatenate([self.places[number] for number in draw.tolist()])

    def draws(self, resamples: int, seed: Seed) -> Iterator[NDArray[np.int64]]:
        """int64 [rows, clusters], as many rows at a time as memory should hold."""
        generator = np.random.default_rng(seed)
        size = max(1, CELLS // len(self))
        for start in range(0, resamples, size):
            yield generator.integers(0, len(self), size=(min(size, resamples - start), len(self)))


def resample(
    items: Sequence[ScoredItem], aggregate: Aggregate, *, resamples: int = RESAMPLES, seed: Seed = 0
) -> dict[str, NDArray[np.float64]]:
    """The scores of resamples: name -> float64 [resamples], NaN where a score is not defined.

    The draws depend on nothing but the seed and the number of clusters, so that two runs of the same items in the same
    order get the same draws.

    Raises:
        ValueError: there are no items.
    """
    clusters = Clusters.of(items)
    probes = [clusters.drawn(draw) for draw in next(clusters.draws(PROBES, len(items)))]
    means = find_means(items, aggregate, probes)
    drawn: dict[str, list[float]] = {name: [] for name in aggregate(items)}
    for draws in clusters.draws(resamples, seed):
        for name, values in _scores(items, aggregate, clusters, draws, means, tuple(drawn)).items():
            drawn[name].extend(values)
    return {name: np.array(values, dtype=np.float64) for name, values in drawn.items()}


def _scores(
    items: Sequence[ScoredItem],
    aggregate: Aggregate,
    clusters: Clusters,
    draws: NDArray[np.int64],
    means: Mapping[str, Mean] | None,
    names: Sequence[str],
) -> dict[str, list[float]]:
    """The scores of each draw, by their means where they are known to be some; NaN where a draw has none of a name."""

    def ask(draw: NDArray[np.int64]) -> Mapping[str, float]:
        return aggregate([items[place] for place in clusters.drawn(draw).tolist()])

    if means is None:
        rows = [ask(draw) for draw in draws]
        return {name: [row.get(name, math.nan) for row in rows] for name in names}
    times = np.stack([np.bincount(draw, minlength=len(clusters)) for draw in draws]).astype(np.float64)
    found = {}
    for name, mean in means.items():
        counts = times @ np.bincount(clusters.owner, mean.counts)
        values = mean.scale * (times @ np.bincount(clusters.owner, mean.scores)) / np.maximum(1, counts)
        for row in np.flatnonzero(counts == 0):  # what the score of nothing is, only the aggregate knows
            values[row] = ask(draws[row]).get(name, math.nan)
        found[name] = values.tolist()
    return found


def bootstrap_intervals(
    items: Sequence[ScoredItem], aggregate: Aggregate, *, resamples: int = RESAMPLES, seed: Seed = 0
) -> dict[str, Interval]:
    """95 % percentile intervals of every score of the aggregate; NaN where no resample has a value."""
    method = f"bootstrap of {len(Clusters.of(items))} clusters"
    drawn = resample(items, aggregate, resamples=resamples, seed=seed)
    return {name: percentile(values, method) for name, values in drawn.items()}


def percentile(values: NDArray[np.float64], method: str) -> Interval:
    """The middle 95 % of resampled values; those that are NaN are counted and left out."""
    defined = values[~np.isnan(values)]
    low, high = np.percentile(defined, [2.5, 97.5]).tolist() if defined.size else (np.nan, np.nan)
    return Interval(low, high, method, undefined=int(values.size - defined.size), resamples=int(values.size))
