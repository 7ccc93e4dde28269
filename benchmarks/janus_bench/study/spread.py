"""Spread over seeds, and whether two rows can be told apart by it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

T975 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
"""The 97.5 % quantiles of Student's distribution with 1 to 30 degrees of freedom."""


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

    The degrees of freedom are rounded down, which widens the interval. None if either has a single seed.
    """
    if one.deviation is None or other.deviation is None:
        return None
    a, b = one.deviation**2 / one.n, other.deviation**2 / other.n
    difference = abs(one.mean - other.mean)
    if a + b == 0:
        return difference > 0
    freedom = (a + b) ** 2 / (a**2 / (one.n - 1) + b**2 / (other.n - 1))
    return difference > quantile(int(freedom + 1e-9)) * math.sqrt(a + b)


def quantile(freedom: int) -> float:
    """The 97.5 % quantile of Student's distribution; beyond 30 degrees of freedom that of 30."""
    return T975[min(max(freedom, 1), len(T975)) - 1]
