"""The intervals of a card's scores."""

from __future__ import annotations

import math

from janus_bench.statistics.bootstrap import RESAMPLES, bootstrap_intervals, keyed
from janus_bench.statistics.intervals import Interval, wilson
from janus_core.scores import Aggregate, Score, ScoreCard


def card_intervals(
    card: ScoreCard, aggregate: Aggregate, *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Interval]:
    """95 % intervals of the scores that have one.

    A count of independent items has Wilson's. All else that the aggregate computes from items is bootstrapped by
    clusters; a share that no resample changes (all right) takes Wilson's of as many answers as there are clusters, and
    another number that none changes has no interval.

    Raises:
        ValueError: the aggregate gives other scores than the card.
    """
    found = {}
    clusters = len({item.cluster for item in card.items})
    if clusters == len(card.items):
        found = {score.name: _wilson(score) for score in card.scores if score.correct is not None and score.total}
    rest = [score for score in card.scores if score.name not in found and not math.isnan(score.value)]
    if not rest or not card.items:
        return found
    values = aggregate(card.items)
    for score in rest:
        again = values.get(score.name, score.value)
        if not math.isclose(again, score.value, rel_tol=1e-9, abs_tol=1e-12):
            raise ValueError(f"{card.protocol}: the items give {again} for {score.name!r}, not {score.value}")
    drawn = bootstrap_intervals(card.items, aggregate, resamples=resamples, seed=keyed(seed, card.protocol))
    for score in rest:
        interval = drawn.get(score.name)
        if interval is None or math.isnan(interval.low) or clusters < 2:
            continue
        if interval.low == interval.high:
            if score.unit != "share" or not 0 <= score.value <= 1:
                continue
            interval = Interval(*wilson(score.value * clusters, clusters), f"Wilson, {clusters} clusters")
        found[score.name] = interval
    return found


def _wilson(score: Score) -> Interval:
    assert score.correct is not None
    return Interval(*wilson(score.correct, score.total), "Wilson")
