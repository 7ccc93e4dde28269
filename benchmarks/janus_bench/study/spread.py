"""Spread over seeds, and whether two rows can be told apart by it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from janus_bench.statistics.student import quantile


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and spread of a score over seeds.

    Attributes:
        deviation: standard deviation of the sample (n - 1); None of a single seed.
    """

    mean: float
    deviation: float | None
    least: float
    most: float
    n: int


def spread(values: Sequence[float]) -> Spread:
    """Mean and spread; `ValueError` of no values."""
    if not values:
        raise ValueError("no values have no mean")
    mean = sum(values) / len(values)
    deviation = None
    if len(values) > 1:
        deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return Spread(mean, deviation, min(values), max(values), len(values))


def told_apart(one: Spread, other: Spread) -> bool | None:
    """Whether the 95 % interval of the difference of two means (Welch 1947) leaves out 0.

    None if either has a single seed.
    """
    if one.deviation is None or other.deviation is None:
        return None
    a, b = one.deviation**2 / one.n, other.deviation**2 / other.n
    difference = abs(one.mean - other.mean)
    if a + b == 0:
        return difference > 0
    freedom = (a + b) ** 2 / (a**2 / (one.n - 1) + b**2 / (other.n - 1))
    return difference > quantile(0.975, freedom) * math.sqrt(a + b)
