"""The rows of a stage, made with any assembler: the model's own, the probing one or the cached one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from janus_core.config.recipe import Recipe, StageConfig
from janus_core.data.steps import stage_steps
from janus_core.interfaces import DataSource
from janus_core.sequence.assemble import Assembler
from janus_core.sequence.pack import Batch


def stage_rows(
    recipe: Recipe,
    stage: StageConfig,
    sources: Mapping[str, DataSource],
    own: Assembler,
    assembler: Assembler,
    *,
    steps: int | None = None,
    workers: int | None = None,
    rank: int = 0,
) -> Iterator[Batch]:
    """The packed rows of a stage that a process passes through the model, from the first step on.

    Args:
        own: the model's assembler.
        assembler: the one that makes the rows.
        steps: of how many steps; None for the whole stage.
        workers: processes that read; None as the recipe says.
        rank: of the process.
    """
    all_steps = stage_steps(recipe, stage, sources, own, cached=assembler, workers=workers, rank=rank)
    for step in islice(all_steps, steps):
        yield from step.rows
        if step.spare is not None:
            yield step.spare
