"""How many items show a difference, and which difference the items at hand can show.

Miller 2024 (arXiv 2411.00640), section 5: the difference of two paired means against 0, normal approximation.
"""

from __future__ import annotations

import math
from statistics import NormalDist

ALPHA, POWER = 0.05, 0.8


def difference_deviation(one: float, other: float, correlation: float) -> float:
    """Standard deviation of the difference of two scores of an item from those of each and their correlation."""
    return math.sqrt(one**2 + other**2 - 2 * correlation * one * other)


def items_needed(effect: float, deviation: float, alpha: float = ALPHA, power: float = POWER) -> int:
    """Independent items by which a true difference ``effect`` is seen with probability ``power``.

    Args:
        deviation: standard deviation of the difference of an item's two scores.
        alpha: of the two-sided test.
    """
    if effect <= 0:
        raise ValueError(f"a difference of {effect} is not seen by any number of items")
    return math.ceil((_reach(alpha, power) * deviation / effect) ** 2)


def detectable(error: float, alpha: float = ALPHA, power: float = POWER) -> float:
    """The least true difference seen with probability ``power``, from the standard error of the difference."""
    return _reach(alpha, power) * error


def power_of(effect: float, error: float, alpha: float = ALPHA) -> float:
    """The probability to see a true difference ``effect`` > 0, the other tail of the test neglected."""
    if error == 0:
        return 1.0
    return NormalDist().cdf(effect / error - NormalDist().inv_cdf(1 - alpha / 2))


def _reach(alpha: float, power: float) -> float:
    return NormalDist().inv_cdf(1 - alpha / 2) + NormalDist().inv_cdf(power)
