"""The table of the report as LaTeX; it needs the package booktabs and nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from janus_bench.report.contents import Column, Line, Report
from janus_bench.report.markdown import READING
from janus_bench.report.numbers import UNITS, footnotes, interval_text, value_text

ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--", "±": r"$\pm$", "↑": r"$\uparrow$",
    "↓": r"$\downarrow$", "<": r"$<$", ">": r"$>$",
}  # fmt: skip


def escaped(text: str) -> str:
    """Text with everything that LaTeX would read as more than text."""
    return "".join(ESCAPES.get(character, character) for character in text)


def latex(report: Report) -> str:
    """A ``table`` environment to ``\\input``."""
    letters = footnotes(report)
    columns = report.columns
    sides = [(side, len(list(group))) for side, group in itertools.groupby(columns, key=lambda column: column.side)]
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering\small",
        rf"\begin{{tabular}}{{l{'r' * len(columns)}}}",
        r"\toprule",
    ]
    spans = [rf"\multicolumn{{{width}}}{{c}}{{{side}}}" for side, width in sides]
    lines.append(" & ".join(["", *spans]) + r" \\")
    start = 2
    for _, width in sides:
        lines.append(rf"\cmidrule(lr){{{start}-{start + width - 1}}}")
        start += width
    lines.append(" & ".join(["model", *(escaped(column.protocol) for column in columns)]) + r" \\")
    lines.append(" & ".join(["", *(_unit(column) for column in columns)]) + r" \\")
    for lines_of in (report.own, report.papers):
        if lines_of:
            lines += [r"\midrule", *(_row(line, columns, letters) for line in lines_of)]
    lines += [r"\bottomrule", r"\end{tabular}"]
    notes = [READING, *(rf"{letter}: {reason}." for reason, letter in letters.items()), *report.refused]
    lines += [rf"\caption{{{' '.join(escaped(note) for note in notes)}}}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def _unit(column: Column) -> str:
    return escaped(f"{column.score} {column.better} {UNITS[column.unit]}".rstrip())


def _row(line: Line, columns: Sequence[Column], letters: dict[str, str]) -> str:
    name = escaped(line.name) + (r" (\textsc{random})" if line.random else "")
    cells = [rf"\textit{{{name}}}" if line.kind == "paper" else name]
    for column in columns:
        cell = line.cells.get(column)
        if cell is None:
            cells.append("stand-in" if column in line.refused else "--")
            continue
        interval = interval_text(cell, column)
        text = escaped(value_text(cell, column)) + (rf" {{\scriptsize[{escaped(interval)}]}}" if interval else "")
        cells.append(text + (rf"\textsuperscript{{{letters[cell.differs]}}}" if cell.differs else ""))
    return " & ".join(cells) + r" \\"
