"""The scores of a benchmark as a table of text, and as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from janus_bench.statistics.intervals import wilson
from janus_core.interfaces import Score


def rows(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """One record a score: side, value, 95 % interval, counts, baselines, ceilings."""
    return [
        {
            "name": score.name,
            "task": score.task,
            "value": score.value,
            "interval": wilson(score.correct, score.total),
            "correct": score.correct,
            "total": score.total,
            "baselines": dict(score.baselines),
            "ceilings": dict(score.ceilings),
        }
        for score in scores
    ]


def text_table(scores: Sequence[Score], random: Sequence[str] = ()) -> str:
    """The scores in per cent beside the numbers that they must be read with.

    Args:
        random: parts of the model whose weights are random and never trained; named under the table.
    """
    lines = [["", "right", "95 %", "of", "without it", "at best"]]
    for score in scores:
        low, high = wilson(score.correct, score.total)
        lines.append(
            [
                score.name,
                percent(score.value),
                f"{100 * low:.0f}-{100 * high:.0f}",
                str(score.total),
                ", ".join(f"{name} {percent(value)}" for name, value in score.baselines.items()),
                ", ".join(f"{name} {percent(value)}" for name, value in score.ceilings.items()),
            ]
        )
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    texts = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    note = [f"RANDOM weights, never trained: {', '.join(random)}"] if random else []
    return "\n".join([texts[0], "-" * max(map(len, texts)), *texts[1:], *note])


def percent(value: float) -> str:
    return f"{100 * value:.1f}"
