"""A stage's steps with and without its cache, side by side in one run: ``janus cache measure``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median

import torch

from janus_core.cache.build import Builder
from janus_core.cache.reading import stage_rows
from janus_core.cache.stage import StageCache, stage_cache
from janus_core.config.recipe import StageConfig
from janus_core.errors import UserError
from janus_core.model.janus import JanusModel
from janus_core.sequence.assemble import Assembler
from janus_core.sequence.pack import Batch

WARM_UP = 1
"""Steps before the ones that count."""


@dataclass(slots=True)
class Side:
    """Seconds of each step: reading the batch, and forward and backward through the model; and the losses."""

    reading: list[float] = field(default_factory=list)
    model: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    @property
    def step(self) -> float:
        """Median seconds of a step."""
        return median(a + b for a, b in zip(self.reading, self.model, strict=True))


@dataclass(slots=True)
class Measured:
    """What was measured.

    Attributes:
        fill: seconds that the filling of the cache took, with the reading of its inputs.
    """

    stage: str
    parts: tuple[str, ...]
    steps: int
    fill: float
    live: Side
    cached: Side

    @property
    def ratio(self) -> float:
        """How many times faster a cached step is."""
        return self.live.step / self.cached.step

    @property
    def largest_difference(self) -> float:
        """Of the loss of a step, live against cached."""
        return max(abs(a - b) for a, b in zip(self.live.losses, self.cached.losses, strict=True))


def measure(builder: Builder, stage_name: str | None, steps: int) -> Measured:
    """Run the same steps with and without the cache, one after the other, in turns of who is first.

    Both take the gradient of the same weights on the same samples; one optimiser step follows. The cache is filled
    before, for these steps only.

    Args:
        stage_name: of the stage; None for the first in which something can be cached.
        steps: that count; a stage that is shorter gives fewer.

    Raises:
        UserError: nothing can be cached.
    """
    for stage in builder.stages(stage_name):
        cache = stage_cache(builder.built, builder.recipe, stage, folder=builder.folder, say=builder.say)
        assert cache is not None
        with cache:
            if cache.parts:
                return _measure(builder, stage, cache, min(steps + WARM_UP, stage.steps))
    raise UserError("nothing can be cached: every encoder trains", "choose another recipe, or another --stage")


def _measure(builder: Builder, stage: StageConfig, cache: StageCache, steps: int) -> Measured:
    recipe, model = builder.recipe, builder.built.model
    device = next(iter(cache.parts.values())).encoder.device
    model.to(device).train()

    def batches(assembler: Assembler) -> Iterator[Batch]:
        return stage_rows(recipe, stage, builder.sources, builder.built.assembler, assembler, steps=steps, workers=0)

    began = time.perf_counter()
    cache.fill(batches(cache.probe))
    fill = time.perf_counter() - began
    iterators = {"live": batches(builder.built.assembler), "cached": batches(cache.assembler)}
    sides = {"live": Side(), "cached": Side()}
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=stage.learning_rate, betas=stage.betas)
    for step in range(steps):
        for name in ("live", "cached") if step % 2 == 0 else ("cached", "live"):
            optimiser.zero_grad()
            torch.manual_seed(step)
            began = time.perf_counter()
            batch = next(iterators[name])
            read = time.perf_counter()
            loss = _step(model, batch.to(device), recipe.run.precision)
            _wait(device)
            if step >= WARM_UP or steps == 1:
                sides[name].reading.append(read - began)
                sides[name].model.append(time.perf_counter() - read)
            sides[name].losses.append(loss)
        torch.nn.utils.clip_grad_norm_(trained, stage.clip)
        optimiser.step()
    return Measured(stage.name, tuple(cache.parts), len(sides["live"].model), fill, sides["live"], sides["cached"])


def _step(model: JanusModel, batch: Batch, precision: str) -> float:
    """Forward and backward of the mean losses of the tasks, summed."""
    with torch.autocast(batch.ids.device.type, dtype=torch.bfloat16, enabled=precision == "bf16-mixed"):
        losses = model(batch)
        total = torch.stack([losses.sums[task] / losses.counts[task] for task in losses.sums]).sum()
    total.backward()  # type: ignore[no-untyped-call]
    return float(total.detach())


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
