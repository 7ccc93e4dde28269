"""How steady answers are when every item is asked several times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stability:
    """What repeats of the same items say.

    Attributes:
        expected: mean score of all repeats.
        consensus: share of items that more than half of the repeats have right (scores 0 or 1).
        variance: mean over items of the variance (n - 1) of its repeats; NaN if none has two.
        consistency: share of items whose repeats all have the same score.
    """

    expected: float
    consensus: float
    variance: float
    consistency: float


def stability(repeats: Sequence[Sequence[float]]) -> Stability:
    """Stability of runs of the same items: ``repeats[r][i]`` is the score of item i in repeat r.

    Raises:
        ValueError: there is no score, or repeats have different numbers of items.
    """
    items = list(zip(*repeats, strict=True))
    if not items:
        raise ValueError("no scores have no stability")
    variances = []
    if len(repeats) > 1:
        means = [sum(item) / len(item) for item in items]
        variances = [
            sum((s - mean) ** 2 for s in item) / (len(item) - 1) for item, mean in zip(items, means, strict=True)
        ]
    return Stability(
        expected=sum(map(sum, items)) / (len(items) * len(repeats)),
        consensus=sum(sum(item) > len(item) / 2 for item in items) / len(items),
        variance=sum(variances) / len(items) if variances else math.nan,
        consistency=sum(len(set(item)) == 1 for item in items) / len(items),
    )
