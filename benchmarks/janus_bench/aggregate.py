"""From a card back to the benchmark that computes its scores from items."""

from __future__ import annotations

from janus_bench.chosen import chosen_benchmark
from janus_core.config.recipe import ComponentChoice
from janus_core.errors import UserError
from janus_core.scores import Aggregate, ScoreCard


def aggregate_of(card: ScoreCard) -> Aggregate:
    """The aggregate of the card's benchmark, built with the options that the card was made with.

    Raises:
        UserError: the benchmark is not installed, or its protocol has another version.
    """
    chosen = chosen_benchmark(ComponentChoice(type=card.protocol, options=card.settings.get("options") or {}))
    installed = chosen.protocol.version
    if installed != card.version:
        raise UserError(
            f"{card.protocol} was scored with version {card.version}, and version {installed} is installed",
            "score its predictions again with 'janus bench score'",
        )
    built = chosen.build()
    return lambda items: built.aggregate(chosen.protocol.name, items)
