"""The numbers of a card that stand for it in tables of many models."""

from __future__ import annotations

from janus_core.scores import Score, ScoreCard


def headlines(card: ScoreCard) -> list[Score]:
    """The first score of each side of the model; the first of all where no score names its side."""
    first: dict[str, Score] = {}
    for score in card.scores:
        if score.task is not None:
            first.setdefault(score.task, score)
    return list(first.values()) or card.scores[:1]
