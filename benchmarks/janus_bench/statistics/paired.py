"""Two runs of the same items: how far apart they are, and whether chance could do that."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from janus_bench.statistics.bootstrap import RESAMPLES, Clusters, Seed, percentile, resample
from janus_bench.statistics.intervals import Interval
from janus_bench.statistics.standard_error import clustered
from janus_bench.statistics.student import quantile, two_sided
from janus_core.scores import Aggregate, ScoredItem


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of a score, second run less first.

    Attributes:
        interval: 95 %, in the unit of the score.
        error: standard deviation over the resamples.
        p: probability of a difference as far from 0 if there were none; two-sided.
    """

    value: float
    interval: Interval
    error: float
    p: float


def paired_bootstrap(
    first: Sequence[ScoredItem],
    second: Sequence[ScoredItem],
    aggregate: Aggregate,
    *,
    resamples: int = RESAMPLES,
    seed: Seed = 0,
) -> dict[str, Difference]:
    """Differences of every score that both runs have; each resample takes the same clusters of both.

    The p-value is twice the share of the resamples on the other side of 0. With C clusters it is never below 2^(1-C),
    the least that a test of C signs can reach, so that a handful of items proves nothing.

    Args:
        first, second: the same items in the same order (see `matched.match`).

    Raises:
        ValueError: they are not.
    """
    if [(item.id, item.cluster) for item in first] != [(item.id, item.cluster) for item in second]:
        raise ValueError("the items of the two runs are not matched")
    values = aggregate(first), aggregate(second)
    drawn = [resample(items, aggregate, resamples=resamples, seed=seed) for items in (first, second)]
    many = len(Clusters.of(first))
    found = {}
    for name in [name for name in drawn[0] if name in drawn[1]]:
        differences = drawn[1][name] - drawn[0][name]
        defined = differences[~np.isnan(differences)]
        error = float(np.std(defined, ddof=1)) if defined.size > 1 else math.nan
        beyond = min(np.count_nonzero(defined <= 0), np.count_nonzero(defined >= 0))
        p = min(1.0, max(2 * (beyond + 1) / (defined.size + 1), 2.0 ** (1 - many))) if defined.size else math.nan
        interval = percentile(differences, f"paired bootstrap of {many} clusters")
        found[name] = Difference(values[1][name] - values[0][name], interval, error, p)
    return found


@dataclass(frozen=True, slots=True)
class McNemar:
    """Items that one run alone has right, and the exact two-sided p-value that both are as likely."""

    first_only: int
    second_only: int
    p: float


def mcnemar(first: Sequence[float | None], second: Sequence[float | None]) -> McNemar | None:
    """McNemar's exact test of the same items, taken as independent; None where a score is neither 0 nor 1."""
    pairs = list(zip(first, second, strict=True))
    if not all(score in (0, 1) for pair in pairs for score in pair):
        return None
    first_only, second_only = (sum(pair == alone for pair in pairs) for alone in ((1, 0), (0, 1)))
    n, ways, least = first_only + second_only, 1, 0
    for k in range(min(first_only, second_only) + 1):
        least += ways
        ways = ways * (n - k) // (k + 1)
    return McNemar(first_only, second_only, min(1.0, 2 * least / 2**n))


@dataclass(frozen=True, slots=True)
class PairedT:
    """Student's test of the mean difference, second run less first."""

    difference: float
    error: float
    interval: Interval
    t: float
    p: float


def paired_t(
    first: Sequence[float], second: Sequence[float], clusters: Sequence[Hashable] | None = None
) -> PairedT | None:
    """Paired t-test; with clusters by Miller's clustered error and as many degrees of freedom as clusters, less one.

    None of fewer than two items or clusters.
    """
    differences = [b - a for a, b in zip(first, second, strict=True)]
    names = range(len(differences)) if clusters is None else clusters
    freedom = len(set(names)) - 1
    if freedom < 1:
        return None
    mean, error = sum(differences) / len(differences), clustered(differences, names)
    t = mean / error if error else math.copysign(math.inf, mean) if mean else 0.0
    p = two_sided(t, freedom) if math.isfinite(t) else 0.0
    half = quantile(0.975, freedom) * error
    method = "paired t" if clusters is None else f"paired t, {freedom + 1} clusters"
    return PairedT(mean, error, Interval(mean - half, mean + half, method), t, p)
