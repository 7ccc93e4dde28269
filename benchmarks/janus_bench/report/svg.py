"""Axes and shapes of inline SVG; colours come from the classes of the page, so that they follow light and dark."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from janus_core.scores import Unit

CHARACTER = 6.7
"""Width of a character of a label in pixels, a little more than the average."""


@dataclass(frozen=True, slots=True)
class Axis:
    """From values to pixels; ``start`` > ``end`` and ``low`` > ``high`` are allowed."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """At most seven round values."""
        low, high = sorted((self.low, self.high))
        raw = (high - low) / 6
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * (1 - 1e-9))
        return [n * step for n in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def axis(values: Sequence[float], unit: Unit, start: float, end: float, *, reverse: bool = False) -> Axis:
    """An axis with room around the values; a share stays between 0 and 1, nothing else falls below 0."""
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or {"share": 0.05, "points": 0.05 * abs(high) or 1.0, "distance": 1.0}[unit]
    low, high = max(0.0, low - room), min(1.0, high + room) if unit == "share" else high + room
    return Axis(high, low, start, end) if reverse else Axis(low, high, start, end)


def tick_text(value: float, unit: Unit) -> str:
    """Shares in per cent; no more digits than needed."""
    return f"{100 * value if unit == 'share' else value:.10g}"


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def circle(x: float, y: float, radius: float, kind: str, title: str = "") -> str:
    told = f"<title>{html.escape(title)}</title>" if title else ""
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}">{told}</circle>'


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(words)}</text>'


def picture(name: str, title: str, description: str, width: float, height: float, body: Sequence[str]) -> str:
    """A whole picture; ``name`` is unique in the page."""
    return (
        f'<svg role="img" aria-labelledby="{name}-title {name}-text" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}"><title id="{name}-title">{html.escape(title)}</title>'
        f'<desc id="{name}-text">{html.escape(description)}</desc>{"".join(body)}</svg>'
    )


def shortened(name: str, width: float) -> str:
    """A name that fits into so many pixels."""
    most = int(width / CHARACTER)
    return name if len(name) <= most else name[: most - 1] + "…"
