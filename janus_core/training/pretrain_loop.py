"""The LightningModule of ``janus pretrain``: one optimiser for each loss that the part names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightning
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import nn

from janus_core.config.recipe import PretrainRecipe
from janus_core.interfaces import Pretrainable
from janus_core.training.optimiser import schedule

MAIN = "loss"
"""The loss whose steps are the recipe's steps."""


class PartTraining(lightning.LightningModule):
    """Holds the part and what trains it; the latter may be a module of its own (a text tower, a critic), or not.

    All losses of a step are differentiated, each with respect to the parameters of its own optimiser only, before any
    optimiser steps: a generator and its critic see each other as they were at the beginning of the step.

    Attributes:
        steps: how often each loss was minimised.
    """

    def __init__(self, part: nn.Module, trained: Pretrainable, recipe: PretrainRecipe) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.part, self.trained, self._recipe = part, trained, recipe
        self._factor = schedule(recipe.schedule, warmup=recipe.warmup, steps=recipe.steps, final=recipe.final_rate)
        self.steps: dict[str, int] = {}

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        recipe = self._recipe
        by_loss: dict[str, list[dict[str, Any]]] = {MAIN: []}
        for group in self.trained.optimizer_groups():
            by_loss.setdefault(group.get("loss", MAIN), []).append(
                {**group, "peak": recipe.learning_rate * group.get("factor", 1.0)}
            )
        self.steps = dict.fromkeys(by_loss, 0)
        return [
            torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=recipe.betas, weight_decay=recipe.weight_decay)
            for groups in by_loss.values()
        ]

    def training_step(self, batch: Mapping[str, Any], batch_index: int) -> None:
        step = self.global_step
        losses = self.trained.losses(batch, step)
        made = self.optimizers()
        wrapped = dict(zip(self.steps, made if isinstance(made, list) else [made], strict=True))
        minimised = {name: _bare(optimiser) for name, optimiser in wrapped.items() if name in losses}
        for name, optimiser in minimised.items():
            optimiser.zero_grad()
            parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
            self.manual_backward(losses[name], inputs=parameters)
        for name, optimiser in minimised.items():
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * self._factor(step)
            self.clip_gradients(optimiser, gradient_clip_val=self._recipe.clip, gradient_clip_algorithm="norm")
            # Lightning counts every step that is taken through its wrapper, and ends when they are the recipe's steps.
            (wrapped[name] if name == MAIN else optimiser).step()
            self.steps[name] += 1
        self.log_dict({name: value.detach() for name, value in losses.items()}, prog_bar=True, batch_size=1)


def _bare(optimiser: torch.optim.Optimizer | LightningOptimizer) -> torch.optim.Optimizer:
    return optimiser.optimizer if isinstance(optimiser, LightningOptimizer) else optimiser
