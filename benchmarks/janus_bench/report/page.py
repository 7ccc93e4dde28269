"""The report as one HTML page: no network, no script, light and dark."""

from __future__ import annotations

import html
import itertools
from collections.abc import Sequence

from janus_bench.report.contents import Cell, Column, Line, Report
from janus_bench.report.details import all_scores
from janus_bench.report.dots import dots
from janus_bench.report.numbers import DASH, UNITS, deviation_text, footnotes, interval_text
from janus_bench.report.scatter import pairs, scatter, title
from janus_bench.report.style import STYLE
from janus_bench.table import shown

READING = (
    "The small range is the 95 % interval: over items for one run, over items and training seeds where there are three "
    "or more; ± is the standard deviation over seeds. Two numbers whose intervals overlap may still differ: "
    "<code>janus bench compare</code> says so from the items that both share."
)

SIDES = (
    "Further up and further right is better. Full: measured here; hollow: printed in a paper; dashed: under another "
    "protocol. The cross is the 95 % interval."
)
ROWS = (
    "Best first. Full: measured here; hollow: printed in a paper; dashed: under another protocol. The bar is the 95 % "
    "interval, small ticks are training seeds, dashed lines what a model without sight or skill gets."
)


def page(report: Report) -> str:
    """The whole page."""
    shown = [section for section in _sections(report) if section[2]]
    links = "".join(f'<li><a href="#{name}">{heading}</a></li>' for name, heading, _ in shown)
    body = "".join(
        f'<section id={name} aria-labelledby="{name}-h"><h2 id="{name}-h">{heading}</h2>{parts}</section>'
        for name, heading, parts in shown
    )
    counts = (
        f"{_many(len(report.own), 'model')} measured, {_many(len(report.papers), 'row')} of papers, "
        f"{_many(len({column.protocol for column in report.columns}), 'protocol')}"
    )
    names = html.escape(", ".join(line.name for line in report.own))
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f'<meta name=color-scheme content="light dark"><title>Benchmarks: {names}</title><style>{STYLE}</style>'
        f"</head><body><header><h1>Benchmarks</h1><p class=soft>{counts}</p>"
        f'<nav aria-label="On this page"><ul>{links}</ul></nav></header><main>{body}</main></body></html>\n'
    )


def _sections(report: Report) -> list[tuple[str, str, str]]:
    """(id, title, content) in the order of the page; without content where there is nothing to tell."""
    sides = [
        (title(across, up), scatter(report, across, up, f"scatter-{number}"))
        for number, (across, up) in enumerate(pairs(report))
    ]
    rows = [
        (f"{column.protocol}, {column.score}", dots(report, column, f"dots-{number}"))
        for number, column in enumerate(report.columns)
    ]
    return [
        ("results", "Results", f"{_table(report)}<p class=soft>{READING}</p>{_notes(report)}"),
        ("not-reported", "Not reported", _care(report.refused)),
        ("care", "Read with care", _care(report.warnings)),
        ("sides", "Understanding against generation", _figures(sides, SIDES)),
        ("benchmarks", "Benchmark by benchmark", _figures(rows, ROWS)),
        ("scores", "Every score, and how it was measured", all_scores(report)),
        ("sources", "Sources of the papers' numbers", _sources(report)),
    ]


def _table(report: Report) -> str:
    letters = footnotes(report)
    sides = [(side, len(list(group))) for side, group in itertools.groupby(report.columns, key=lambda c: c.side)]
    groups = "".join(f'<colgroup span="{width}"></colgroup>' for _, width in sides)
    spans = "".join(f'<th scope=colgroup colspan="{width}" class={side}>{side}</th>' for side, width in sides)
    heads = "".join(
        f"<th scope=col><b><code>{html.escape(column.protocol)}</code></b>"
        f"{html.escape(column.score)} {column.better} {UNITS[column.unit]}</th>"
        for column in report.columns
    )
    bodies = "".join(
        f'<tbody><tr><th scope=rowgroup colspan="{len(report.columns) + 1}">{title}</th></tr>'
        f"{''.join(_row(line, report.columns, letters) for line in lines)}</tbody>"
        for title, lines in (("Measured here", report.own), ("Printed in papers", report.papers))
        if lines
    )
    return (
        '<div class=wide tabindex=0 role=region aria-label="Results"><table><caption>Headline score of each protocol; '
        f"arrows say which way is better.</caption><colgroup></colgroup>{groups}<thead><tr><td></td>{spans}</tr>"
        f"<tr><th scope=col>model</th>{heads}</tr></thead>{bodies}</table></div>"
    )


def _row(line: Line, columns: Sequence[Column], letters: dict[str, str]) -> str:
    parts = html.escape(", ".join(line.random))
    tag = f'<span class=tag title="never trained: {parts}">RANDOM</span>' if parts else ""
    seeds = max((len(cell.values) for cell in line.cells.values()), default=0)
    many = f" <small>{seeds} seeds</small>" if line.kind == "seeds" else ""
    cells = "".join(_cell(line, column, letters) for column in columns)
    return f"<tr class={line.kind}><th scope=row>{html.escape(line.name)}{many}{tag}</th>{cells}</tr>"


def _cell(line: Line, column: Column, letters: dict[str, str]) -> str:
    cell = line.cells.get(column)
    if cell is None:
        return f"<td class=none>{'stand-in' if column in line.refused else DASH}</td>"
    mark = ""
    if cell.differs:
        letter = letters[cell.differs]
        mark = f'<sup><a href="#note-{letter}" aria-label="differs, see note {letter}">{letter}</a></sup>'
    return f'<td data-value="{cell.value!r}">{shown(cell.value, column.unit)}{mark}{_spread(cell, column)}</td>'


def _spread(cell: Cell, column: Column) -> str:
    parts = (deviation_text(cell, column), interval_text(cell, column))
    return "".join(f"<span class=interval>{part}</span>" for part in parts if part)


def _notes(report: Report) -> str:
    notes = footnotes(report)
    items = "".join(f'<li id="note-{letter}"><b>{letter}</b> {html.escape(why)}</li>' for why, letter in notes.items())
    return f"<ul class=notes>{items}</ul>" if notes else ""


def _care(sentences: Sequence[str]) -> str:
    items = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences)
    return f"<div class=care><ul>{items}</ul></div>" if items else ""


def _figures(pictures: Sequence[tuple[str, str]], legend: str) -> str:
    shown = "".join(
        f"<figure><h3>{html.escape(title)}</h3>{picture}</figure>" for title, picture in pictures if picture
    )
    return f"<p class=soft>{legend}</p><div class=plots>{shown}</div>" if shown else ""


def _sources(report: Report) -> str:
    """Addresses as text: the page asks nothing of the network."""
    places = "".join(
        f"<li>{html.escape(source)}: <code>{html.escape(url.removeprefix('https://'))}</code></li>"
        for source, url in report.links.items()
    )
    notes: dict[str, dict[str, None]] = {}
    for line in report.papers:
        for column, cell in line.cells.items():
            if cell.note:
                notes.setdefault(f"{column.protocol}: {cell.note}", {})[line.name] = None
    told = "".join(
        f"<li>{html.escape(note)} <small>({html.escape(', '.join(names))})</small></li>"
        for note, names in notes.items()
    )
    how = f"<h3>How the papers measured</h3><ul>{told}</ul>" if told else ""
    return f"<ul>{places}</ul>{how}" if places else ""


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
