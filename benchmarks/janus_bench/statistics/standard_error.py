"""Standard errors of a mean, items independent or in clusters, and their intervals in closed form."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence

from janus_bench.statistics.intervals import Z95, Interval


def standard_error(scores: Sequence[float]) -> float:
    """Of the mean of independent scores: sample deviation (n - 1) / sqrt(n); NaN of fewer than two."""
    return clustered(scores, range(len(scores)))


def clustered(scores: Sequence[float], clusters: Sequence[Hashable]) -> float:
    """Of the mean of scores that are independent between clusters only; NaN of fewer than two scores.

    Miller 2024, "Adding Error Bars to Evals" (arXiv 2411.00640), equation 4: the squared error of independent scores
    and 1/n^2 of the products of the deviations of any two scores of a cluster.
    """
    if len(scores) != len(clusters):
        raise ValueError(f"{len(scores)} scores and {len(clusters)} clusters")
    n = len(scores)
    if n < 2:
        return math.nan
    mean = sum(scores) / n
    squares = 0.0
    sums: dict[Hashable, float] = defaultdict(float)
    for score, cluster in zip(scores, clusters, strict=True):
        squares += (score - mean) ** 2
        sums[cluster] += score - mean
    products = sum(value**2 for value in sums.values()) - squares
    # of a cluster's scores that cancel out nothing is left but rounding, on either side of 0
    return math.sqrt(max(0.0, squares / (n - 1) / n + products / n**2))


def mean_interval(scores: Sequence[float], clusters: Sequence[Hashable]) -> Interval:
    """95 % interval of a mean of scores: 1.96 clustered standard errors to each side; NaN of fewer than two."""
    half = Z95 * clustered(scores, clusters)
    mean = sum(scores) / len(scores) if scores else math.nan
    return Interval(mean - half, mean + half, "clustered standard error")
