"""A comparison in words and a table."""

from __future__ import annotations

import math

from janus_bench.aligned import aligned
from janus_bench.compare import Comparison, Row
from janus_bench.table import shown
from janus_core.scores import Unit

HEAD = ["", "first", "second", "difference", "95 %", "p", "p (Holm)", "items", ""]


def text(found: Comparison) -> str:
    """Table, verdicts, and what must be known beside them."""
    lines = [f"first:  {found.first}", f"second: {found.second}", ""]
    if found.rows:
        lines += aligned([HEAD, *(_line(row) for row in found.rows)], right=range(1, 8))
        lines += ["", *(f"{label(row)}: {sentence(row)}" for row in found.rows), ""]
    lines += [f"warning: {warning}" for warning in found.warnings]
    lines += [f"warning: {label(row)}: {warning}" for row in found.rows for warning in row.warnings]
    lines += [f"not compared: {protocol}: {why}" for protocol, why in found.refused.items()]
    lines += [f"only {name} measured {', '.join(protocols)}" for name, protocols in found.alone.items()]
    if found.rows:
        lines.append("Differences are second less first. Their intervals are those of the items: training again with")
        lines.append("another seed moves the scores as well, and only runs of several seeds say by how much.")
    else:
        lines.append("Nothing can be compared.")
    return "\n".join(lines)


def label(row: Row) -> str:
    """Protocol and score."""
    return f"{row.protocol} {row.score}"


def sentence(row: Row) -> str:
    """The verdict in words."""
    if row.difference is None or math.isnan(row.p):
        return "not tested: there is no interval"
    items = f"{row.items} items" if row.items == row.clusters else f"{row.items} items in {row.clusters} clusters"
    if row.verdict == "same on every item":
        return f"the same on every one of the {items}"
    if row.verdict == "noise":
        interval = row.difference.interval
        found = f"no difference that these {items} can show"
        if not interval.low <= 0 <= interval.high:
            found += " once all comparisons are taken together"
        if math.isnan(row.detectable):
            return found
        return f"{found}; smallest difference that could be seen: about {_size(row.detectable, row.unit)}"
    better, worse = ("second", "first") if row.verdict == "second is better" else ("first", "second")
    return (
        f"{better} is better than {worse} by {_size(abs(row.difference.value), row.unit)}, more than noise of {items}"
    )


def _line(row: Row) -> list[str]:
    cells = [label(row), shown(row.first, row.unit), shown(row.second, row.unit)]
    if row.difference is None:
        return [*cells, _signed(row.second - row.first, row.unit), "", "", "", "", row.verdict]
    low, high = row.difference.interval.low, row.difference.interval.high
    cells += [_signed(row.difference.value, row.unit), f"{_signed(low, row.unit)} to {_signed(high, row.unit)}"]
    return [*cells, _p(row.p), _p(row.adjusted), str(row.items), row.verdict]


def _signed(value: float, unit: Unit) -> str:
    if math.isnan(value):
        return "undefined"
    return f"{100 * value:+.1f}" if unit == "share" else f"{value:+.{1 if unit == 'points' else 2}f}"


def _size(value: float, unit: Unit) -> str:
    return _signed(value, unit).removeprefix("+") + (" percentage points" if unit == "share" else "")


def _p(value: float) -> str:
    if math.isnan(value):
        return ""
    return f"{value:.3f}" if value >= 0.001 else "<0.001"
