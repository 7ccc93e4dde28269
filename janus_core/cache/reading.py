"""The batches of a stage, made with any assembler: the model's own, the probing one or the cached one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from janus_core.config.recipe import Recipe, StageConfig
from janus_core.data.loader import StageDataset, stage_loader
from janus_core.data.mixture import Mixture, SamplePlan
from janus_core.interfaces import DataSource
from janus_core.sequence.assemble import Assembler
from janus_core.sequence.pack import Batch


def stage_batches(
    recipe: Recipe,
    stage: StageConfig,
    sources: Mapping[str, DataSource],
    assembler: Assembler,
    *,
    steps: int | None = None,
    workers: int | None = None,
) -> Iterator[Batch]:
    """The packed batches of a stage of one process, from its first step on.

    Args:
        steps: how many; None for the whole stage.
        workers: processes that read; None as the recipe says.
    """
    dataset = StageDataset(
        sources,
        assembler,
        seed=recipe.seed,
        condition_drop=stage.condition_drop,
        bad_records=recipe.run.bad_records,
    )
    mixture = Mixture(stage.mixture, stage.data, stage.batch_size)
    plan = SamplePlan(mixture, stage.batch_size, min(steps or stage.steps, stage.steps))
    workers = recipe.run.workers if workers is None else workers
    for loaded in stage_loader(dataset, plan, assembler, workers=workers):
        yield loaded.batch
