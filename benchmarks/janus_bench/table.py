"""The scores of a benchmark as a table of text."""

from __future__ import annotations

import math

from janus_bench.aligned import aligned
from janus_bench.stored import Stored
from janus_core.scores import Score, Unit


def text_table(stored: Stored) -> str:
    """The scores beside the numbers that they must be read with, and under them what a reader must know.

    Shares stand in per cent; a mark tells what has another unit.
    """
    card, intervals = stored.card, stored.intervals
    lines = [["", "value", "95 %", "of", "without it", "at best"]]
    for score in card.scores:
        interval = intervals.get(score.name)
        spread = "" if interval is None else f"{whole(interval.low, score.unit)}-{whole(interval.high, score.unit)}"
        lines.append(
            [
                score.name + {"share": "", "points": " (points)", "distance": " (distance)"}[score.unit],
                shown(score.value, score.unit),
                spread,
                str(score.total),
                _named(score, "baselines"),
                _named(score, "ceilings"),
            ]
        )
    return "\n".join([*aligned(lines), *_notes(stored)])


def shown(value: float, unit: Unit) -> str:
    """A value as tables print it: shares in per cent, one decimal; a distance below 0 by rounding is 0."""
    if math.isnan(value):
        return "undefined"
    if unit == "share":
        return f"{100 * value:.1f}"
    if unit == "distance":
        return f"{max(0.0, value):.2f}"
    return f"{value:.1f}" if abs(value) >= 10 or value == 0 else f"{value:.3f}"


def whole(value: float, unit: Unit) -> str:
    """An end of an interval, with the digits that it is worth."""
    return f"{100 * value:.0f}" if unit == "share" else shown(value, unit)


def _named(score: Score, what: str) -> str:
    return ", ".join(f"{name} {shown(value, score.unit)}" for name, value in getattr(score, what).items())


def _notes(stored: Stored) -> list[str]:
    card = stored.card
    notes = []
    if stored.about.random_weights:
        notes.append(f"RANDOM weights, never trained: {', '.join(stored.about.random_weights)}")
    if card.stand_in:
        notes.append(f"STAND-IN, not to be reported: {card.stand_in}")
    if card.missing or card.unparsed:
        notes.append(f"of {len(card.items)} items {card.missing} have no prediction, {card.unparsed} could not be read")
    return [*notes, *(f"warning: {text}" for text in card.warnings)]
