"""A mixture given in tokens -> the mixture in samples that gives it."""

from __future__ import annotations

from collections.abc import Mapping

from janus_core.config.recipe import SourceShare, StageConfig
from janus_core.data.loader import StageDataset
from janus_core.data.mixture import Draw
from janus_core.interfaces import Task

LOOKED_AT = 32
"""Samples of each source whose mean length counts."""


def sample_ratios(stage: StageConfig, dataset: StageDataset) -> dict[Task, float]:
    """The ratio of the tasks in samples, whatever unit the stage gives it in.

    A ratio in tokens is divided by the mean length of the samples that each source gives first. It stays a function
    of the seed and the data alone, so that any number of processes draws the same samples and a run resumes at the
    exact one; choosing each sample by the tokens seen so far would not.
    """
    ratios = {task: ratio for task, ratio in stage.mixture.items() if ratio > 0}
    if stage.mixture_unit == "samples":
        return ratios
    return {task: ratio / _mean_length(task, stage.data[task], dataset) for task, ratio in ratios.items()}


def _mean_length(task: Task, shares: Mapping[str, SourceShare], dataset: StageDataset) -> float:
    weight = sum(share.weight for share in shares.values())
    return (
        sum(
            share.weight / weight * sum(len(dataset[Draw(task, name, number)][0].ids) for number in range(LOOKED_AT))
            for name, share in shares.items()
            if share.weight
        )
        / LOOKED_AT
    )
