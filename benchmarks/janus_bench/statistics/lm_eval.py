"""Standard errors as lm-evaluation-harness computes them, to read its numbers beside ours."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

CHUNK = 1000
"""Draws that its bootstrap makes from one seed; chunks take the seeds 0, 1, 2 ..."""


def draws(
    scores: Sequence[float], statistic: Callable[[Sequence[float]], float], iterations: int, seed: int
) -> list[float]:
    """The statistic of resamples drawn by ``random.Random(seed).choices``."""
    source = random.Random(seed)
    return [statistic(source.choices(scores, k=len(scores))) for _ in range(iterations)]


def bootstrap_error(
    scores: Sequence[float], statistic: Callable[[Sequence[float]], float], iterations: int = 100_000
) -> float:
    """Sample deviation of its bootstrap; whole chunks of at most 1000 draws, as there."""
    size = min(CHUNK, iterations)
    values = [value for seed in range(iterations // size) for value in draws(scores, statistic, size, seed)]
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


def pooled(errors: Sequence[float], sizes: Sequence[int]) -> float:
    """Standard error of a group of tasks weighted by size, from those of its tasks."""
    squares = sum((size - 1) * error**2 * size for error, size in zip(errors, sizes, strict=True))
    return math.sqrt(squares / (sum(sizes) - len(sizes)) / sum(sizes))
