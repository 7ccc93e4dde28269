"""An interval of a number, and Wilson's of a proportion."""

from __future__ import annotations

import math
from dataclasses import dataclass

Z95 = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval, in the unit of the number.

    Attributes:
        method: how it was made, in words that stand in a report.
        undefined: resamples in which the number was not defined; the interval is that of the others.
        resamples: how many were drawn; 0 where the interval has a closed form.
    """

    low: float
    high: float
    method: str
    undefined: int = 0
    resamples: int = 0


def wilson(correct: float, total: float, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927), in [0, 1]; items are taken as independent.

    A mean count over several runs, or the number of independent items that clusters are worth, need not be whole.

    Raises:
        ValueError: ``total`` is below 1, or ``correct`` is not between 0 and it.
    """
    if not 0 <= correct <= total or total < 1:
        raise ValueError(f"{correct} of {total} is no proportion")
    share = correct / total
    scale = 1 + z**2 / total
    middle = (share + z**2 / (2 * total)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    return max(0.0, middle - half), min(1.0, middle + half)
