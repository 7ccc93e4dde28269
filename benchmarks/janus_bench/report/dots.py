"""The numbers of one column as dots with their intervals, best first."""

from __future__ import annotations

import math

from janus_bench.report.contents import Cell, Column, Line, Report
from janus_bench.report.numbers import interval_text, value_text
from janus_bench.report.svg import Axis, axis, circle, line, picture, shortened, text, tick_text

WIDTH, LEFT, RIGHT, TOP, ROW, FOOT = 560, 190, 96, 10, 21, 40


def dots(report: Report, column: Column, name: str) -> str:
    """SVG: a row a line of the report that has this column; papers are hollow, baselines dashed."""
    lines = [(one, one.cells[column]) for one in report.lines if column in one.cells]
    lines = [(one, cell) for one, cell in lines if not math.isnan(cell.value)]
    if not lines:
        return ""
    lines.sort(key=lambda pair: pair[1].value, reverse=column.unit != "distance")
    baselines = report.baselines.get(column, {})
    values = [value for _, cell in lines for value in _extent(cell)] + list(baselines.values())
    x = axis(values, column.unit, LEFT, WIDTH - RIGHT)
    bottom = TOP + ROW * len(lines) + (14 if baselines else 0)
    body = []
    for value in x.ticks():
        body += [line(x.at(value), TOP, x.at(value), bottom, "grid")]
        body += [text(x.at(value), bottom + 15, tick_text(value, column.unit), "tick", "middle")]
    for number, (label, value) in enumerate(baselines.items()):
        body.append(line(x.at(value), TOP, x.at(value), bottom, "baseline"))
        end = x.at(value) > (LEFT + WIDTH - RIGHT) / 2
        at = bottom - 3 - 11 * (number % 2)
        body.append(text(x.at(value) + (-4 if end else 4), at, label, "tick", "end" if end else "start"))
    for number, (one, cell) in enumerate(lines):
        body += _row(one, cell, column, x, TOP + ROW * (number + 0.5))
    unit = "per cent" if column.unit == "share" else column.unit
    direction = "less is better" if column.unit == "distance" else "more is better"
    body.append(text((LEFT + WIDTH - RIGHT) / 2, bottom + 32, f"{column.score}, {unit}; {direction}", "tick", "middle"))
    told = "; ".join(f"{one.name} {value_text(cell, column)}" for one, cell in lines)
    title = f"{column.protocol}, {column.score}"
    return picture(name, title, f"Best first: {told}.", WIDTH, bottom + FOOT, body)


def _extent(cell: Cell) -> list[float]:
    ends = [] if cell.interval is None else [cell.interval.low, cell.interval.high]
    return [value for value in (cell.value, *cell.values, *ends) if not math.isnan(value)]


def _row(one: Line, cell: Cell, column: Column, x: Axis, y: float) -> list[str]:
    kind = "paper" if one.kind == "paper" else column.side
    name = one.name + (" · RANDOM" if one.random else "")
    parts = [text(LEFT - 10, y + 4, shortened(name, LEFT - 14), f"label {kind}", "end")]
    interval = interval_text(cell, column)
    if interval and cell.interval is not None:
        parts.append(line(x.at(cell.interval.low), y, x.at(cell.interval.high), y, f"interval {kind}"))
    if len(cell.values) > 1:
        parts += [line(x.at(value), y - 5, x.at(value), y + 5, f"seed {kind}") for value in cell.values]
    told = f"{name}: {value_text(cell, column)}" + (f", 95 % interval {interval}" if interval else "")
    told += f"; {cell.differs}" if cell.differs else ""
    parts.append(circle(x.at(cell.value), y, 4.5, f"dot {kind}{' differs' if cell.differs else ''}", told))
    parts.append(text(WIDTH - RIGHT + 10, y + 4, value_text(cell, column), f"number {kind}"))
    return parts
