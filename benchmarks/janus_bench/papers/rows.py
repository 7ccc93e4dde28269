"""Reads the rows of the papers and says how each compares with a measurement of ours."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, get_args

from janus_core.scores import Unit

COPIED = "copied from another paper, and the protocol is not stated"
TOP, TABLE = {"paper", "url", "table"}, {"name", "columns", "rows"}
COLUMN = {"benchmark", "protocol", "copied_protocol", "unit", "divide_by", "note", "differs"}
ROW = {"model", "parameters", "own", "values", "note"}


@dataclass(frozen=True, slots=True)
class PaperRow:
    """One number of a paper.

    Attributes:
        protocol: ours that it was measured under; empty if it is none of ours.
        differs: why it is none of ours; empty if it is one.
        value: in ``unit``; shares as fractions.
        source: paper and table.
        note: of how the number was made.
    """

    model: str
    parameters: str
    benchmark: str
    protocol: str
    differs: str
    value: float
    unit: Unit
    source: str
    url: str
    note: str

    def warning(self, protocol: str) -> str:
        """Why it must not be held against a number of this protocol; empty if it may."""
        if self.protocol == protocol:
            return ""
        return self.differs or f"measured as {self.protocol}, not {protocol}"


def paper_rows(folder: Traversable | None = None) -> list[PaperRow]:
    """Every number of every file, in the order of the files' names.

    Args:
        folder: None: the files that ship with the package.

    Raises:
        ValueError: a file is malformed; file, table and row are named.
    """
    place = folder if folder is not None else files("janus_bench.papers")
    found: list[PaperRow] = []
    for file in sorted((f for f in place.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name):
        told = tomllib.loads(file.read_text(encoding="utf-8"))
        _known(told, TOP, file.name)
        for table in told["table"]:
            where = f"{file.name}, {table.get('name', 'a table without a name')}"
            _known(table, TABLE, where)
            for name, column in table["columns"].items():
                _column(column, f"{where}, column {name}")
            for row in table["rows"]:
                found += _row(row, table["columns"], f"{told['paper']}, {table['name']}", told["url"], where)
    return found


def _row(
    row: Mapping[str, Any], columns: Mapping[str, Mapping[str, Any]], source: str, url: str, where: str
) -> Iterator[PaperRow]:
    _known(row, ROW, f"{where}, row {row.get('model', '?')}", optional=ROW - {"model", "values"})
    own = bool(row.get("own"))
    for name, printed in row["values"].items():
        if name not in columns or not isinstance(printed, int | float):
            raise ValueError(f"{where}, row {row['model']}: {name} = {printed!r} belongs to no column or is no number")
        column = columns[name]
        protocol = column.get("protocol" if own else "copied_protocol", "")
        yield PaperRow(
            model=row["model"],
            parameters=row.get("parameters", ""),
            benchmark=column["benchmark"],
            protocol=protocol,
            differs="" if protocol else column.get("differs", COPIED),
            value=printed / column.get("divide_by", 1),
            unit=column["unit"],
            source=source,
            url=url,
            note="; ".join(filter(None, (column.get("note") if own else None, row.get("note")))),
        )


def _column(column: Mapping[str, Any], where: str) -> None:
    _known(column, COLUMN, where, optional=COLUMN - {"benchmark", "unit"})
    if column["unit"] not in get_args(Unit):
        raise ValueError(f"{where}: unit {column['unit']!r} is none of {', '.join(get_args(Unit))}")
    if ("protocol" in column) == ("differs" in column):
        raise ValueError(f"{where}: it needs a protocol, or a word on why it has none")
    for name in ("protocol", "copied_protocol"):
        if name in column and not column[name].startswith(f"{column['benchmark']}@"):
            raise ValueError(f"{where}: {column[name]!r} is no protocol of {column['benchmark']}")


def _known(told: Mapping[str, Any], names: Set[str], where: str, optional: Set[str] = frozenset()) -> None:
    if wrong := set(told) - names:
        raise ValueError(f"{where}: unknown {', '.join(sorted(wrong))}")
    if absent := names - optional - set(told):
        raise ValueError(f"{where}: {', '.join(sorted(absent))} is missing")
