"""From runs and rows of papers to the contents of a report."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from janus_bench.aggregate import aggregate_of
from janus_bench.comparable import check
from janus_bench.headline import headlines
from janus_bench.papers.rows import PaperRow
from janus_bench.plugin import SUITE
from janus_bench.report.contents import Cell, Column, Line, Report
from janus_bench.statistics.bootstrap import FEW
from janus_bench.statistics.matched import match
from janus_bench.statistics.seeds import LEAST, OverSeeds, over_seeds
from janus_bench.stored import Run, Stored
from janus_core.errors import UserError
from janus_core.interfaces import TASKS
from janus_core.scores import Aggregate, ScoreCard

Aggregates = Callable[[ScoreCard], Aggregate]


def gather(runs: Sequence[Run], papers: Sequence[PaperRow] = (), aggregates: Aggregates = aggregate_of) -> Report:
    """The contents of a report of runs, beside the rows of papers that share a benchmark with them.

    Args:
        aggregates: the aggregate of a card's benchmark, for the spread over seeds.

    Raises:
        UserError: a group holds the same seed twice.
    """
    groups = _groups(runs)
    columns = _columns(runs)
    report = Report(columns, [], _baselines(columns, runs), [], [], [], {})
    for name, members in groups:
        line = Line(name, "seeds" if len(members) > 1 else "run", random=_random(members))
        stand_ins = {p: s.card.stand_in for run in members for p, s in run.results.items() if s.card.stand_in}
        report.refused += [f"{name}: {p}: made with a stand-in: {reason}" for p, reason in stand_ins.items()]
        line.refused = frozenset(column for column in columns if column.protocol in stand_ins)
        for column in columns:
            if column in line.refused:
                continue
            stored = [s for run in members if (s := _at(run, column)) is not None]
            if stored:
                line.cells[column] = _cell(column, stored, aggregates, report.warnings, name)
        report.lines.append(line)
        for run in members:
            told = name if len(members) == 1 else f"{name}, {_seed(run)}"
            report.cards += [(told, stored) for protocol, stored in run.results.items() if protocol not in stand_ins]
    _add_papers(report, papers)
    report.warnings += [*_warnings(report), *_between(report)]
    return report


def _groups(runs: Sequence[Run]) -> list[tuple[str, list[Run]]]:
    """Names and runs of each line; names that would be equal are told apart by the folder."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for number, run in enumerate(runs):
        key = ("group", run.about.group) if run.about.group else ("run", str(number))
        groups.setdefault(key, []).append(run)
    found: list[tuple[str, list[Run]]] = []
    for (kind, group), members in groups.items():
        seeds = [run.about.seed for run in members if run.about.seed is not None]
        if len(set(seeds)) < len(seeds):
            raise UserError(
                f"the group {group!r} holds seed {max(seeds, key=seeds.count)} twice",
                "report each seed once, or run without --group",
            )
        found.append((group if kind == "group" else members[0].about.model, members))
    names = [name for name, _ in found]
    return [
        (name if names.count(name) == 1 else f"{name} ({members[0].folder.name})", members) for name, members in found
    ]


def _seed(run: Run) -> str:
    return run.folder.name if run.about.seed is None else f"seed {run.about.seed}"


def _columns(runs: Sequence[Run]) -> list[Column]:
    found: dict[Column, None] = {}
    for run in runs:
        for stored in run.results.values():
            card = stored.card
            for score in headlines(card):
                found[Column(card.protocol, card.version, score.name, score.unit, score.task)] = None
    order = {name: number for number, name in enumerate(SUITE)}
    return sorted(
        found,
        key=lambda c: (TASKS.index(c.task) if c.task else len(TASKS), order.get(c.benchmark, len(order)), c.protocol),
    )


def _at(run: Run, column: Column) -> Stored | None:
    stored = run.results.get(column.protocol)
    if stored is None or stored.card.version != column.version:
        return None
    return stored if any(score.name == column.score for score in stored.card.scores) else None


def _cell(column: Column, stored: Sequence[Stored], aggregates: Aggregates, warnings: list[str], name: str) -> Cell:
    values = tuple(next(s.value for s in one.card.scores if s.name == column.score) for one in stored)
    if len(stored) == 1:
        return Cell(values[0], stored[0].intervals.get(column.score), values)
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    try:
        over = _over_seeds(column, stored, aggregates)
    except UserError as error:
        warnings.append(f"{name}: {column.protocol}: no interval over seeds: {error.what}")
        over = None
    return Cell(mean, over.interval if over else None, values, deviation)


def _over_seeds(column: Column, stored: Sequence[Stored], aggregates: Aggregates) -> OverSeeds | None:
    """Seeds and items resampled; None below three seeds and for scores of whole sets."""
    if len(stored) < LEAST or not all(one.card.items for one in stored):
        return None
    matched = match([one.card.items for one in stored])
    if any(matched.alone):
        raise UserError("the seeds were measured on different items")
    return over_seeds(matched.items, aggregates(stored[0].card)).get(column.score)


def _random(members: Iterable[Run]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part for run in members for part in run.about.random_weights))


def _baselines(columns: Sequence[Column], runs: Sequence[Run]) -> dict[Column, dict[str, float]]:
    found: dict[Column, dict[str, float]] = {}
    for column in columns:
        told = [
            dict(score.baselines)
            for run in runs
            if (stored := _at(run, column)) is not None
            for score in stored.card.scores
            if score.name == column.score
        ]
        if told and all(each == told[0] for each in told):
            found[column] = {name: value for name, value in told[0].items() if not math.isnan(value)}
    return found


def _warnings(report: Report) -> list[str]:
    """What must be known of single lines."""
    found = [
        f"{line.name}: RANDOM weights, never trained: {', '.join(line.random)}" for line in report.own if line.random
    ]
    told: dict[str, list[str]] = {}
    for name, stored in report.cards:
        card = stored.card
        if card.missing or card.unparsed:
            counts = f"{card.missing} have no prediction and {card.unparsed} could not be read"
            told.setdefault(f"{card.protocol}: of {len(card.items)} items {counts}", []).append(name)
        clusters = len({item.cluster for item in card.items})
        if card.items and clusters < FEW:
            few = f"{card.protocol}: {clusters} independent items are too few for an interval to be trusted"
            told.setdefault(few, []).append(name)
        for warning in card.warnings:
            told.setdefault(f"{card.protocol}: {warning}", []).append(name)
    return found + [f"{sentence} ({', '.join(names)})" for sentence, names in told.items()]


def _between(report: Report) -> list[str]:
    """What must be known before two lines of a column are held against each other."""
    found: list[str] = []
    versions: dict[str, set[int]] = {}
    for column in report.columns:
        versions.setdefault(column.protocol, set()).add(column.version)
    for protocol, seen in versions.items():
        if len(seen) > 1:
            found.append(f"{protocol}: versions {', '.join(map(str, sorted(seen)))} are not comparable; a column each")
    for protocol in versions:
        cards = [(name, stored) for name, stored in report.cards if stored.card.protocol == protocol]
        for name, stored in cards[1:]:
            state = check(cards[0][1], stored)
            if cards[0][1].card.version == stored.card.version:
                differing = [state.refused] if state.refused else state.warnings
                found += [f"{protocol}: {cards[0][0]} and {name}: {text}" for text in differing]
            if len(stored.card.items) != len(cards[0][1].card.items):
                counts = f"{len(cards[0][1].card.items)} and {len(stored.card.items)}"
                found.append(
                    f"{protocol}: {cards[0][0]} and {name} were measured on different numbers of items: {counts}"
                )
    if marked := sum(bool(cell.differs) for line in report.papers for cell in line.cells.values()):
        found.append(f"{marked} of the papers' numbers are not of the protocol of their column; a letter says why")
    return found


def _add_papers(report: Report, rows: Sequence[PaperRow]) -> None:
    """A line a model; a number goes to the column of its protocol, else, marked, to the first of its benchmark."""
    lines: dict[str, Line] = {}
    links: dict[str, str] = {}
    exact = {(row.model, row.protocol) for row in rows if row.protocol}
    for row in rows:
        columns = [column for column in report.columns if column.benchmark == row.benchmark]
        own = [column for column in columns if column.protocol == row.protocol]
        if not own and any((row.model, column.protocol) in exact for column in columns):
            continue  # the same model has a number under a protocol that is shown
        for column in own or columns[:1]:
            line = lines.setdefault(row.model, Line(row.model, "paper"))
            if column in line.cells or {column.unit, row.unit} & {"distance"} and column.unit != row.unit:
                continue
            scale = {("share", "points"): 100.0, ("points", "share"): 0.01}.get((row.unit, column.unit), 1.0)
            line.cells[column] = Cell(scale * row.value, differs=row.warning(column.protocol), note=row.note)
            links[row.source] = row.url
    report.lines += sorted((line for line in lines.values() if line.cells), key=lambda line: -len(line.cells))
    report.links = links
