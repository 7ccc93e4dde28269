"""Understanding against generation: a point a model, its intervals as a cross."""

from __future__ import annotations

import math

from janus_bench.report.contents import Cell, Column, Line, Report
from janus_bench.report.numbers import interval_text, value_text
from janus_bench.report.svg import CHARACTER, Axis, axis, circle, line, picture, text, tick_text

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 440, 62, 24, 18, 58
Box = tuple[float, float, float, float]
PLACES = (
    (9, 4, "start"), (-9, 4, "end"), (8, -7, "start"), (8, 16, "start"), (-8, -7, "end"), (-8, 16, "end"),
    (0, -12, "middle"), (0, 21, "middle"), (8, -18, "start"), (8, 27, "start"), (-8, -18, "end"), (-8, 27, "end"),
)  # fmt: skip
"""Where a label may stand beside its point, best first."""


def pairs(report: Report) -> list[tuple[Column, Column]]:
    """For each generation column the understanding column that most models share with it."""
    found = []
    for up in report.of_side("generation"):
        shared = [(len(_both(report, across, up)), across) for across in report.of_side("understanding")]
        if shared and (best := max(shared, key=lambda pair: pair[0]))[0]:
            found.append((best[1], up))
    return found


def title(across: Column, up: Column) -> str:
    """Of the picture."""
    if across.protocol == up.protocol:
        return f"{across.protocol}: {across.score} and {up.score}"
    return f"{across.protocol} and {up.protocol}"


def scatter(report: Report, across: Column, up: Column, name: str) -> str:
    """SVG: further right and further up is better; the axis of a distance is reversed."""
    lines = _both(report, across, up)
    x = axis(_values(lines, across), across.unit, LEFT, WIDTH - RIGHT, reverse=across.unit == "distance")
    y = axis(_values(lines, up), up.unit, HEIGHT - BOTTOM, TOP, reverse=up.unit == "distance")
    body = []
    for value in x.ticks():
        body += [line(x.at(value), TOP, x.at(value), HEIGHT - BOTTOM, "grid")]
        body += [text(x.at(value), HEIGHT - BOTTOM + 17, tick_text(value, across.unit), "tick", "middle")]
    for value in y.ticks():
        body += [line(LEFT, y.at(value), WIDTH - RIGHT, y.at(value), "grid")]
        body += [text(LEFT - 8, y.at(value) + 4, tick_text(value, up.unit), "tick", "end")]
    middle = (HEIGHT - BOTTOM + TOP) / 2
    body.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 18, _named("understanding", across), "axis", "middle"))
    vertical = text(0, 0, _named("generation", up), "axis", "middle")
    body.append(f'<g transform="translate(18 {middle:.1f}) rotate(-90)">{vertical}</g>')
    taken = [box for one in lines for box in _boxes(one, across, up, x, y)]
    marks: list[str] = []
    labels: list[str] = []
    for one in sorted(lines, key=lambda one: one.kind == "paper"):
        at = x.at(one.cells[across].value), y.at(one.cells[up].value)
        marks = [*_point(one, across, up, x, y), *marks]  # one's own points lie on top
        labels += _label(one, at, taken)
    told = "; ".join(f"{o.name} {value_text(o.cells[across], across)} and {value_text(o.cells[up], up)}" for o in lines)
    return picture(
        name, title(across, up), f"Understanding and generation: {told}.", WIDTH, HEIGHT, [*body, *marks, *labels]
    )


def _both(report: Report, across: Column, up: Column) -> list[Line]:
    return [
        one
        for one in report.lines
        if all(column in one.cells and not math.isnan(one.cells[column].value) for column in (across, up))
    ]


def _values(lines: list[Line], column: Column) -> list[float]:
    found = []
    for one in lines:
        cell = one.cells[column]
        found += [cell.value, *_ends(cell)]
    return found


def _ends(cell: Cell) -> list[float]:
    if cell.interval is None or math.isnan(cell.interval.low):
        return []
    return [cell.interval.low, cell.interval.high]


def _named(side: str, column: Column) -> str:
    unit = {"share": ", %", "points": "", "distance": ", reversed"}[column.unit]
    return f"{side}: {column.protocol} {column.score}{unit}"


def _point(one: Line, across: Column, up: Column, x: Axis, y: Axis) -> list[str]:
    kind = "paper" if one.kind == "paper" else "own"
    at = x.at(one.cells[across].value), y.at(one.cells[up].value)
    parts = []
    if ends := _ends(one.cells[across]):
        parts.append(line(x.at(ends[0]), at[1], x.at(ends[1]), at[1], f"interval {kind}"))
    if ends := _ends(one.cells[up]):
        parts.append(line(at[0], y.at(ends[0]), at[0], y.at(ends[1]), f"interval {kind}"))
    cells = ((across, one.cells[across]), (up, one.cells[up]))
    told = "; ".join(
        f"{column.protocol} {value_text(cell, column)} {interval_text(cell, column)}".strip() for column, cell in cells
    )
    differs = " differs" if any(cell.differs for _, cell in cells) else ""
    return [*parts, circle(*at, 5.5, f"dot {kind}{differs}", f"{one.name}: {told}")]


def _boxes(one: Line, across: Column, up: Column, x: Axis, y: Axis) -> list[Box]:
    """What a label must not cover: the point and its cross."""
    at = x.at(one.cells[across].value), y.at(one.cells[up].value)
    boxes: list[Box] = [(at[0] - 6, at[1] - 6, 12, 12)]
    if ends := _ends(one.cells[across]):
        low, high = sorted(map(x.at, ends))
        boxes.append((low - 2, at[1] - 2, high - low + 4, 4))
    if ends := _ends(one.cells[up]):
        low, high = sorted(map(y.at, ends))
        boxes.append((at[0] - 2, low - 2, 4, high - low + 4))
    return boxes


def _label(one: Line, at: tuple[float, float], taken: list[Box]) -> list[str]:
    """The name where it covers nothing; a paper's is left to the tooltip if there is no such place."""
    width = CHARACTER * len(one.name)
    for dx, dy, anchor in PLACES:
        left = at[0] + dx - {"start": 0.0, "end": width, "middle": width / 2}[anchor]
        box = (left, at[1] + dy - 11, width, 14)
        inside = left > LEFT and left + width < WIDTH - RIGHT + 12 and box[1] > 2
        free = inside and not any(_overlap(box, other) for other in taken)
        if free or (one.kind != "paper" and (dx, dy, anchor) == PLACES[-1]):
            taken.append(box)
            return [text(at[0] + dx, at[1] + dy, one.name, f"label {one.kind}", anchor)]
    return []


def _overlap(one: Box, other: Box) -> bool:
    return all(one[i] < other[i] + other[i + 2] and other[i] < one[i] + one[i + 2] for i in (0, 1))
