"""Training seeds of one model: the spread that the seeds make beside the spread that the items make."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from janus_bench.statistics.bootstrap import RESAMPLES, Seed, percentile, resample
from janus_bench.statistics.intervals import Interval
from janus_core.scores import Aggregate, ScoredItem

LEAST = 3
"""Seeds from which on a spread of seeds is told."""


@dataclass(frozen=True, slots=True)
class OverSeeds:
    """A score over training seeds.

    Attributes:
        values: one a seed.
        seed_deviation: standard deviation of the values (n - 1): another training, the same items; NaN of one seed.
        item_deviation: standard error of their mean from the choice of items: the same trainings, other items.
        interval: 95 % of the mean, seeds and clusters drawn anew (see `over_seeds`).
    """

    values: tuple[float, ...]
    mean: float
    seed_deviation: float
    item_deviation: float
    interval: Interval


def over_seeds(
    runs: Sequence[Sequence[ScoredItem]], aggregate: Aggregate, *, resamples: int = RESAMPLES, seed: Seed = 0
) -> dict[str, OverSeeds]:
    """Mean and spread of every score over runs of the same items in the same order, one a training seed.

    The bootstrap has two stages. Every seed is measured on the same items, so a resample draws one set of clusters for
    all of them, and then draws among the seeds. It draws few seeds too narrow, by a factor of sqrt((S - 1) / S); the
    seeds' part is widened by its inverse.

    Raises:
        ValueError: there are fewer than three runs, or their items are not matched.
    """
    if len(runs) < LEAST:
        raise ValueError(f"{len(runs)} seeds say too little of a spread: {LEAST} at least")
    if any([(i.id, i.cluster) for i in run] != [(i.id, i.cluster) for i in runs[0]] for run in runs):
        raise ValueError("the items of the runs are not matched")
    drawn = [resample(run, aggregate, resamples=resamples, seed=seed) for run in runs]
    values = [aggregate(run) for run in runs]
    among = np.random.default_rng([len(runs)]).integers(0, len(runs), size=(resamples, len(runs)))
    widen, method = math.sqrt(len(runs) / (len(runs) - 1)), f"bootstrap of {len(runs)} seeds and of clusters"
    found = {}
    for name in values[0]:
        table = np.stack([scores[name] for scores in drawn], axis=1)  # [resamples, seeds]
        means = table.mean(axis=1)
        seeds = np.take_along_axis(table, among, axis=1).mean(axis=1) - means
        own = tuple(float(value[name]) for value in values)
        defined = means[~np.isnan(means)]
        found[name] = OverSeeds(
            values=own,
            mean=sum(own) / len(own),
            seed_deviation=float(np.std(own, ddof=1)),
            item_deviation=float(np.std(defined, ddof=1)) if defined.size > 1 else math.nan,
            interval=percentile(means + widen * seeds, method),
        )
    return found
