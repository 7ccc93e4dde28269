"""Several tests at once."""

from __future__ import annotations

import math
from collections.abc import Mapping


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Holm's adjusted p-values (1979) of a family of tests, in the order given; a NaN is no test and stays NaN."""
    tests = sorted((value, name) for name, value in p.items() if not math.isnan(value))
    adjusted, reached = dict(p), 0.0
    for rank, (value, name) in enumerate(tests):
        reached = max(reached, min(1.0, (len(tests) - rank) * value))
        adjusted[name] = reached
    return adjusted
