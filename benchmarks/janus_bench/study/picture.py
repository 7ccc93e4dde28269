"""Understanding against generation as SVG: a point a row, bars for its spread; one-sided rows at the edges."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from janus_bench.study.spread import Spread

WIDTH, HEIGHT = 640, 480
LEFT, RIGHT, TOP, BOTTOM = 90, 30, 44, 90
EDGE = 22
"""Height of the strips for the rows that have one side."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#9a8c00")
"""Okabe and Ito's colours, which the colour-blind can tell apart; yellow darkened for white paper."""


@dataclass(frozen=True, slots=True)
class Point:
    """A row: its spread on each side, None on the side that it lacks."""

    name: str
    across: Spread | None
    up: Spread | None


@dataclass(frozen=True, slots=True)
class _Axis:
    """From fractions to pixels."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25) if (self.high - self.low) / s <= 8)
        first = math.ceil(self.low / step - 1e-9)
        return [n * step for n in range(first, math.floor(self.high / step + 1e-9) + 1)]


def draw(points: Sequence[Point], across: str, up: str, title: str) -> str:
    """The picture as SVG text; bars are one standard deviation to each side, dots on them the least and the most."""
    x = _axis([point.across for point in points], LEFT + EDGE, WIDTH - RIGHT)
    y = _axis([point.up for point in points], HEIGHT - BOTTOM - EDGE, TOP)
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="system-ui, sans-serif" font-size="13">',
        f"<title>{html.escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(WIDTH / 2, 24, title, 'text-anchor="middle" font-weight="bold"'),
        *_frame(x, y),
        _text((x.start + x.end) / 2, HEIGHT - BOTTOM + 38, f"understanding: {across} (%)", 'text-anchor="middle"'),
        f'<g transform="translate(22 {(y.start + y.end) / 2:.1f}) rotate(-90)">'
        + _text(0, 0, f"generation: {up} (%)", 'text-anchor="middle"')
        + "</g>",
    ]
    for number, point in enumerate(points):
        body += _point(point, x, y, COLOURS[number % len(COLOURS)])
    seeds = sorted({side.n for point in points for side in (point.across, point.up) if side is not None})
    note = f"bars: one standard deviation over {' or '.join(map(str, seeds))} seeds; dots: least and most"
    if any(point.across is None or point.up is None for point in points):
        note += "; grey strips: rows with one side"
    body.append(_text(WIDTH / 2, HEIGHT - 16, note, 'text-anchor="middle" font-size="11" fill="#555"'))
    return "\n".join([*body, "</svg>"]) + "\n"


def _axis(spreads: Sequence[Spread | None], start: float, end: float) -> _Axis:
    """An axis that holds every mean, bar and dot with some room, within 0 and 1."""
    known = [spread for spread in spreads if spread is not None]
    if not known:
        return _Axis(0.0, 1.0, start, end)
    low = min(min(s.least, s.mean - (s.deviation or 0)) for s in known)
    high = max(max(s.most, s.mean + (s.deviation or 0)) for s in known)
    room = max(0.02, 0.12 * (high - low))
    low, high = max(0.0, low - room), min(1.0, high + room)
    return _Axis(low, high, start, end)


def _frame(x: _Axis, y: _Axis) -> list[str]:
    bottom, strip, width = HEIGHT - BOTTOM, HEIGHT - BOTTOM - EDGE, WIDTH - RIGHT - LEFT
    lines = [
        f'<rect x="{LEFT}" y="{strip}" width="{width}" height="{EDGE}" fill="#f0f0f0"/>',
        f'<rect x="{LEFT}" y="{TOP}" width="{EDGE}" height="{bottom - TOP}" fill="#f0f0f0"/>',
        f'<rect x="{LEFT}" y="{TOP}" width="{width}" height="{bottom - TOP}" fill="none" stroke="#555"/>',
    ]
    for value in x.ticks():
        lines.append(_line(x.at(value), TOP, x.at(value), strip, "#ddd"))
        lines.append(_text(x.at(value), bottom + 17, _per_cent(value), 'text-anchor="middle"'))
    for value in y.ticks():
        lines.append(_line(LEFT + EDGE, y.at(value), WIDTH - RIGHT, y.at(value), "#ddd"))
        lines.append(_text(LEFT - 8, y.at(value) + 4, _per_cent(value), 'text-anchor="end"'))
    return lines


def _point(point: Point, x: _Axis, y: _Axis, colour: str) -> list[str]:
    at_x = LEFT + EDGE / 2 if point.across is None else x.at(point.across.mean)
    at_y = HEIGHT - BOTTOM - EDGE / 2 if point.up is None else y.at(point.up.mean)
    parts = []
    if (side := point.across) is not None:
        if side.deviation is not None:
            ends = [x.at(min(1.0, max(0.0, side.mean + sign * side.deviation))) for sign in (-1, 1)]
            parts.append(_line(ends[0], at_y, ends[1], at_y, colour, 2))
        parts += [_dot(x.at(value), at_y, 2, colour) for value in (side.least, side.most)]
    if (side := point.up) is not None:
        if side.deviation is not None:
            ends = [y.at(min(1.0, max(0.0, side.mean + sign * side.deviation))) for sign in (-1, 1)]
            parts.append(_line(at_x, ends[0], at_x, ends[1], colour, 2))
        parts += [_dot(at_x, y.at(value), 2, colour) for value in (side.least, side.most)]
    right = at_x > WIDTH - RIGHT - 9 * len(point.name) - 12
    anchor = 'text-anchor="end"' if right else 'text-anchor="start"'
    label = _text(at_x + (-9 if right else 9), at_y - 8, point.name, f'{anchor} font-weight="bold" fill="{colour}"')
    return [*parts, _dot(at_x, at_y, 5, colour), label]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width:g}"/>'


def _dot(x: float, y: float, radius: float, colour: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{colour}"/>'


def _text(x: float, y: float, text: str, extra: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {extra}>{html.escape(text)}</text>'


def _per_cent(value: float) -> str:
    return f"{100 * value:.0f}"
