"""Two runs side by side: the difference of each benchmark that both measured, and whether it is more than noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from janus_bench.aggregate import aggregate_of
from janus_bench.comparable import Comparable, check
from janus_bench.headline import headlines
from janus_bench.statistics.bootstrap import FEW, RESAMPLES, Clusters, keyed
from janus_bench.statistics.family import holm
from janus_bench.statistics.matched import Matched, match
from janus_bench.statistics.paired import Difference, McNemar, mcnemar, paired_bootstrap
from janus_bench.statistics.power import ALPHA, detectable
from janus_bench.stored import Run, Stored
from janus_bench.suite.reading import named
from janus_core.errors import UserError
from janus_core.scores import Aggregate, Score, ScoreCard, Unit

Verdict = Literal["first is better", "second is better", "same on every item", "noise", "not tested"]


@dataclass(slots=True)
class Row:
    """One score of one benchmark in both runs.

    Attributes:
        first, second: over the items that both have.
        difference: second less first; None where the benchmark gives no score of items.
        mcnemar: exact test, where every item is right or wrong.
        p: by McNemar where the items are also independent and the score is their mean, else by the bootstrap.
        adjusted: the p-value after Holm over all rows of the comparison.
        detectable: the least true difference that these items show four times in five, when it is one of so many rows.
    """

    protocol: str
    version: int
    score: str
    unit: Unit
    items: int
    clusters: int
    first: float
    second: float
    difference: Difference | None = None
    mcnemar: McNemar | None = None
    p: float = math.nan
    adjusted: float = math.nan
    detectable: float = math.nan
    verdict: Verdict = "not tested"
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Comparison:
    """Two runs.

    Attributes:
        refused: protocol -> why its numbers are not compared.
        alone: protocols that only one run measured, by the name of that run.
        warnings: of the runs as a whole.
    """

    first: str
    second: str
    rows: list[Row] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    alone: dict[str, list[str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The comparison in words and a table."""
        from janus_bench.compare_text import text

        return text(self)

    def facts(self) -> dict[str, Any]:
        """The comparison as JSON has it; null where a number is not defined."""
        from janus_bench.stored import finite

        found: dict[str, Any] = finite(asdict(self))
        return found


def compare(
    first: Run,
    second: Run,
    *,
    resamples: int = 2 * RESAMPLES,
    seed: int = 0,
    aggregates: Callable[[ScoreCard], Aggregate] = aggregate_of,
) -> Comparison:
    """Compare the headline scores of every protocol that both runs measured.

    Args:
        aggregates: the aggregate of a card's benchmark.
    """
    names = _names(first, second)
    found = Comparison(*names)
    for name, run in zip(names, (first, second), strict=True):
        if run.about.random_weights:
            found.warnings.append(f"{name} has RANDOM weights: {', '.join(run.about.random_weights)}")
    for protocol in dict.fromkeys([*first.results, *second.results]):
        one, other = first.results.get(protocol), second.results.get(protocol)
        if one is None or other is None:
            found.alone.setdefault(names[other is not None], []).append(protocol)
            continue
        state = check(one, other)
        try:
            if state.refused:
                raise UserError(state.refused)
            found.rows += _rows(one, other, state, names, aggregates, resamples, seed)
        except UserError as error:
            found.refused[protocol] = error.what
    _judge(found.rows)
    return found


def _names(first: Run, second: Run) -> tuple[str, str]:
    names = first.about.model, second.about.model
    return names if names[0] != names[1] else (f"{names[0]} ({first.folder})", f"{names[1]} ({second.folder})")


def _rows(
    one: Stored,
    other: Stored,
    state: Comparable,
    names: tuple[str, str],
    aggregates: Callable[[ScoreCard], Aggregate],
    resamples: int,
    seed: int,
) -> list[Row]:
    protocol = one.card.protocol
    theirs = {score.name for score in headlines(other.card)}
    shared = [score for score in headlines(one.card) if score.name in theirs]
    if not shared:
        raise UserError("the runs measured different sides of the model")
    matched = match([one.card.items, other.card.items])
    left_out = [
        f"{len(ids)} items of {name} are not in the other run and are left out: {named(ids)}"
        for name, ids in zip(names, matched.alone, strict=True)
        if ids
    ]
    warnings = [*state.warnings, *left_out]
    if not matched.items[0]:
        if one.card.items or other.card.items:
            raise UserError("the runs share no item")
        return [_untested(one.card, other.card, score, warnings) for score in shared]
    aggregate = aggregates(one.card)
    values = [aggregate(items) for items in matched.items]
    seeds = keyed(seed, protocol)
    one_items, other_items = matched.items
    differences = paired_bootstrap(one_items, other_items, aggregate, resamples=resamples, seed=seeds)
    rows = []
    for score in shared:
        own = tuple(each.get(score.name, math.nan) for each in values)
        if any(map(math.isnan, own)) and not math.isnan(score.value):
            rows.append(_untested(one.card, other.card, score, warnings))  # it cannot be had from the items
        else:
            rows.append(_tested(one.card, score, matched, (own[0], own[1]), differences[score.name], warnings))
    return rows


def _untested(one: ScoreCard, other: ScoreCard, score: Score, warnings: list[str]) -> Row:
    """A distance between sets has no items to resample."""
    value = next(each.value for each in other.scores if each.name == score.name)
    why = "computed of whole sets: no interval, so that nothing is said of noise"
    return Row(one.protocol, one.version, score.name, score.unit, 0, 0, score.value, value, warnings=[*warnings, why])


def _tested(
    card: ScoreCard,
    score: Score,
    matched: Matched,
    values: tuple[float, float],
    difference: Difference,
    warnings: list[str],
) -> Row:
    first, second = matched.items
    clusters = len(Clusters.of(first))
    row = Row(card.protocol, card.version, score.name, score.unit, len(first), clusters, *values)
    row.difference, row.warnings = difference, list(warnings)
    points = [[item.score for item in items] for items in matched.items]
    row.mcnemar = mcnemar(*points)
    is_mean = row.mcnemar is not None and all(
        math.isclose(value, sum(item.score or 0 for item in items) / len(items), rel_tol=1e-9, abs_tol=1e-12)
        for value, items in zip(values, matched.items, strict=True)
    )
    row.p = row.mcnemar.p if row.mcnemar is not None and is_mean and clusters == len(first) else difference.p
    if math.isnan(difference.value):
        row.p = math.nan
        row.warnings.append("not defined in one of the runs")
    if [(i.score, i.parsed, i.facts) for i in first] == [(i.score, i.parsed, i.facts) for i in second]:
        row.verdict = "same on every item"
    if difference.interval.undefined:
        row.warnings.append(f"not defined in {difference.interval.undefined} of the resamples; they are left out")
    if clusters < FEW:
        row.warnings.append(f"{clusters} independent items are too few for an interval to be trusted")
    return row


def _judge(rows: list[Row]) -> None:
    """Adjust the p-values over all rows and say what they mean."""
    adjusted = holm({str(number): row.p for number, row in enumerate(rows)})
    tests = sum(not math.isnan(row.p) for row in rows)
    for row, p in zip(rows, adjusted.values(), strict=True):
        row.adjusted = p
        if row.difference is None or math.isnan(p):
            continue
        if row.difference.error:
            row.detectable = detectable(row.difference.error, ALPHA / tests)
        if row.verdict == "same on every item":
            continue
        if p >= ALPHA or row.difference.value == 0:
            row.verdict = "noise"
        else:
            more = row.difference.value > 0
            row.verdict = "second is better" if more != (row.unit == "distance") else "first is better"
