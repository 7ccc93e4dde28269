"""The intervals that stand beside a card's scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from janus_bench.statistics.bootstrap import clusters, keyed, percentile, resample
from janus_bench.statistics.intervals import Interval, wilson
from janus_core.scores import Aggregate, ScoreCard


def score_intervals(card: ScoreCard, aggregate: Aggregate) -> dict[str, Interval]:
    """95 % intervals of the scores that the card's items give, by name.

    A share of right answers gets Wilson's interval for as many independent answers as its clusters are worth: the
    bootstrap alone says of 40 right answers of 40 that nothing else could have been. Every other score gets the
    percentiles of the cluster bootstrap.
    """
    if not card.items or not aggregate(card.items):
        return {}
    drawn = resample(card.items, aggregate, seed=keyed(0, card.protocol))
    many = len(clusters(card.items))
    found = {}
    for score in card.scores:
        if score.name not in drawn:
            continue
        if score.correct is None or not score.total:
            found[score.name] = percentile(drawn[score.name], f"bootstrap of {many} clusters")
        else:
            found[score.name] = _of_share(score.correct, score.total, drawn[score.name], many)
    return found


def _of_share(correct: int, total: int, values: NDArray[np.float64], many: int) -> Interval:
    """Wilson's interval with the number of independent answers that would spread as the resamples do (Kish 1965)."""
    share = correct / total
    spread = float(np.nanvar(values))
    worth = share * (1 - share) / spread if spread > 0 else many
    effective = max(1.0, min(worth, total))
    low, high = wilson(share * effective, effective)
    return Interval(low, high, f"Wilson, {effective:.0f} independent answers", resamples=int(values.size))
