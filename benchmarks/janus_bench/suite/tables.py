"""Tables of texts as VLMEvalKit and the MMBench server exchange them: tab-separated values and Excel sheets."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from janus_bench.suite.reading import read_text
from janus_bench.suite.xlsx import read_xlsx
from janus_core.errors import UserError

TABLES = (".tsv", ".csv", ".xlsx")

PANDAS_MISSING = frozenset(
    {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>"}
    | {"N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"}
)
"""The cells that ``pandas.read_csv`` and ``read_excel`` take for missing by default (pandas 3.1)."""


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a table by its first line; an empty cell is "", a cell that a row lacks at its end too.

    Raises:
        UserError: it cannot be read, has no first line, a column twice, or a row with more cells than columns.
    """
    if path.suffix == ".xlsx":
        lines = read_xlsx(path)
    else:
        # a picture in base64 is longer than the module's limit, which holds for the whole process
        former = csv.field_size_limit(sys.maxsize)
        try:
            text = io.StringIO(read_text(path, exact=True), newline="")
            lines = list(csv.reader(text, delimiter="," if path.suffix == ".csv" else "\t"))
        except csv.Error as error:
            raise UserError(f"{path} is not a table: {error}", "is this the right file, and whole?") from None
        finally:
            csv.field_size_limit(former)
    numbered = [(number, line) for number, line in enumerate(lines, 1) if any(line)]
    if not numbered:
        raise UserError(f"{path} is empty", "its first line must name the columns")
    header = numbered[0][1]
    if len(set(header)) < len(header):
        twice = sorted({name for name in header if header.count(name) > 1})
        raise UserError(f"{path} has the column {twice[0]!r} twice", "name each column once")
    rows = []
    for number, line in numbered[1:]:
        if len(line) > len(header):
            raise UserError(
                f"{path}, row {number} has {len(line)} cells for {len(header)} columns: {line[:2]}",
                "put a cell that holds a tab or a line break in double quotes",
            )
        rows.append(dict(zip(header, [*line, *[""] * (len(header) - len(line))], strict=True)))
    return rows


def write_tsv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """Write tab-separated values; cells that need quotes get them."""
    lines = [columns, *([row.get(name, "") for name in columns] for row in rows)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        if any("\r" in cell for line in lines for cell in line):
            # the module does not see that a carriage return needs quotes, where lines end with a line feed
            writer = csv.writer(file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerows(lines)


NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
WHOLE = re.compile(r"\s*[+-]?\d+\s*")


def as_pandas(column: Sequence[str]) -> list[str | None]:
    """The texts of a column after ``pandas.read_csv`` or ``read_excel`` with their defaults; None where it is missing.

    A column whose cells are all numbers becomes numbers, and with a missing cell or a fraction in it the whole column
    is written with fractions: 4 becomes "4.0".
    """
    found = [None if cell in PANDAS_MISSING else cell for cell in column]
    present = [cell for cell in found if cell is not None]
    if not present or not all(NUMBER.fullmatch(cell) for cell in present):
        return found
    if len(present) == len(found) and all(WHOLE.fullmatch(cell) for cell in present):
        return [str(int(cell)) for cell in present]
    return [None if cell is None else str(float(cell)) for cell in found]
