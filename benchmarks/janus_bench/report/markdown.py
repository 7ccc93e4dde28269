"""The report as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from janus_bench.report.contents import Column, Line, Report
from janus_bench.report.numbers import DASH, UNITS, footnotes, interval_text, settings, value_text

READING = (
    "A number is followed by its 95 % interval over items, and after ± by the standard deviation over training seeds, "
    "where there are several; then the interval is over both."
)


def markdown(report: Report) -> str:
    """One table, what must be read with care, how it was measured, where the papers' numbers are from."""
    letters = footnotes(report)
    head = ["model", *(_head(column) for column in report.columns)]
    lines = ["# Benchmarks", "", _bar(head), _bar(["---", *["---:"] * len(report.columns)])]
    lines += [_bar(_cells(line, report.columns, letters)) for line in report.lines]
    lines += ["", READING, ""]
    lines += [f"- {letter}: {_plain(reason)}" for reason, letter in letters.items()]
    for title, sentences in (
        ("Not reported", report.refused),
        ("Read with care", report.warnings),
        ("How it was measured", [f"{name}: {how}" for name, how in measured(report)]),
        ("Sources", [f"{source}: {url}" for source, url in report.links.items()]),
    ):
        if sentences:
            lines += ["", f"## {title}", "", *(f"- {_plain(sentence)}" for sentence in sentences)]
    return "\n".join(lines) + "\n"


def measured(report: Report) -> list[tuple[str, str]]:
    """Per card: line, and protocol, version, items and settings in words."""
    found = []
    for name, stored in report.cards:
        card = stored.card
        told = ", ".join(f"{key} {value}" for key, value in settings(card.settings).items())
        how = f"{card.protocol} version {card.version}, {len(card.items)} items"
        found.append((name, f"{how}; {told}" if told else how))
    return found


def _head(column: Column) -> str:
    return _plain(f"{column.protocol} {column.score} {column.better} {UNITS[column.unit]}".rstrip())


def _cells(line: Line, columns: Sequence[Column], letters: dict[str, str]) -> list[str]:
    name = _plain(line.name) + (" (RANDOM)" if line.random else "")
    cells = [f"*{name}*" if line.kind == "paper" else name]
    for column in columns:
        cell = line.cells.get(column)
        if cell is None:
            cells.append("stand-in" if column in line.refused else DASH)
            continue
        interval = interval_text(cell, column)
        mark = f" <sup>{letters[cell.differs]}</sup>" if cell.differs else ""
        cells.append(value_text(cell, column) + (f" [{interval}]" if interval else "") + mark)
    return cells


def _bar(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _plain(text: str) -> str:
    """Text in which Markdown finds neither marks nor tags nor columns."""
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", " ".join(text.split()))
