"""Losses on held-out data while a stage trains."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import lightning
import torch

from janus_core.config.recipe import StageConfig
from janus_core.data.loader import StageDataset
from janus_core.data.mixture import Draw
from janus_core.data.steps import Packer
from janus_core.interfaces import Task
from janus_core.sequence.assemble import Assembled
from janus_core.sequence.pack import Batch
from janus_core.sequence.rows import all_rows
from janus_core.training.module import JanusTraining


class Validation(lightning.Callback):
    """Measures the mean loss of each task on the same samples every so many steps, and tells when it was never lower.

    Every process measures all of them, so that the numbers do not depend on the number of processes.

    Args:
        dataset: of the held-out sources; no prompt is dropped or cut.
        best: called with the step when the weighted sum of the losses is the lowest so far.
    """

    def __init__(
        self,
        stage: StageConfig,
        dataset: StageDataset,
        pack: Packer,
        best: Callable[[int, dict[Task, float]], None],
    ) -> None:
        config = stage.validation
        assert config is not None
        self._every, self._weights, self._best = config.every, stage.task_weights, best
        self._lowest = math.inf
        samples: list[Assembled] = []
        for task, names in config.data.items():
            for number in range(config.samples):
                name = names[number % len(names)]
                samples.append(dataset[Draw(task, name, number // len(names))][0])
        budget = stage.row_tokens or max(len(sample.ids) for sample in samples) * min(16, stage.batch_size)
        self._rows: Sequence[Batch] = [
            pack([samples[index] for index in row]) for row in all_rows([len(s.ids) for s in samples], budget)
        ]

    def state_dict(self) -> dict[str, Any]:
        return {"lowest": self._lowest}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._lowest = float(state_dict["lowest"])

    def on_train_batch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule, *_: Any) -> None:
        assert isinstance(module, JanusTraining)
        if trainer.global_step % self._every and trainer.global_step != trainer.max_steps:
            return
        losses = self.measure(module)
        module.log_dict({f"validation/{task}": value for task, value in losses.items()}, batch_size=1)
        total = sum(self._weights.get(task, 1.0) * value for task, value in losses.items())
        if total < self._lowest:
            self._lowest = total
            self._best(trainer.global_step, losses)

    @torch.no_grad()
    def measure(self, module: JanusTraining) -> dict[Task, float]:
        """Mean loss of each task, in eval mode; the mode of the model is put back."""
        model, training = module.model, module.model.training
        model.eval()
        sums: dict[Task, float] = {}
        counts: dict[Task, int] = {}
        for row in self._rows:
            losses = model(row.to(module.device))
            for task, value in losses.sums.items():
                sums[task] = sums.get(task, 0.0) + float(value)
                counts[task] = counts.get(task, 0) + losses.counts[task]
        model.train(training)
        return {task: value / counts[task] for task, value in sums.items() if counts[task]}
