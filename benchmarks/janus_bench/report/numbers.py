"""Numbers and marks as all three renderings print them."""

from __future__ import annotations

import json
import math
import string
from collections.abc import Mapping
from typing import Any

from janus_bench.report.contents import Cell, Column, Report
from janus_bench.table import shown
from janus_core.scores import Unit

DASH = "–"
UNITS: dict[Unit, str] = {"share": "%", "points": "points", "distance": ""}


def value_text(cell: Cell, column: Column) -> str:
    """The number, with its deviation over seeds."""
    return f"{shown(cell.value, column.unit)} {deviation_text(cell, column)}".rstrip()


def deviation_text(cell: Cell, column: Column) -> str:
    """The deviation over seeds; empty if there is one seed."""
    return "" if cell.deviation is None else f"± {shown(cell.deviation, column.unit)}"


def interval_text(cell: Cell, column: Column) -> str:
    """Both ends; empty if there is no interval."""
    if cell.interval is None or math.isnan(cell.interval.low):
        return ""
    return f"{shown(cell.interval.low, column.unit)}{DASH}{shown(cell.interval.high, column.unit)}"


def footnotes(report: Report) -> dict[str, str]:
    """Why a number differs from its column -> its letter, in the order of the table."""
    reasons: dict[str, None] = {}
    for line in report.lines:
        for column in report.columns:
            if column in line.cells and line.cells[column].differs:
                reasons[line.cells[column].differs] = None
    return {reason: _letter(number) for number, reason in enumerate(reasons)}


def settings(values: Mapping[str, Any], under: str = "") -> dict[str, str]:
    """What shaped the predictions, by dotted name; what is empty is left out."""
    found: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= settings(value, f"{under}{name}.")
        elif value not in (None, ""):
            found[under + name] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return found


def _letter(number: int) -> str:
    high, low = divmod(number, 26)
    return ("" if high == 0 else string.ascii_lowercase[high - 1]) + string.ascii_lowercase[low]
