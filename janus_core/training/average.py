"""An exponential moving average of the weights that train."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class WeightAverage:
    """``average = decay * average + (1 - decay) * weight`` after every step, in the weights' own dtype.

    Lightning's ``WeightAveraging`` copies the frozen parts too and writes the average into the model when a run is
    interrupted, so that a run could not continue where it stopped.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._decay = decay
        self._weights = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self._average = {name: p.detach().clone() for name, p in self._weights.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights of now into the average."""
        for name, weight in self._weights.items():
            if self._average[name].device != weight.device:
                self._average[name] = self._average[name].to(weight.device)
            self._average[name].lerp_(weight, 1 - self._decay)

    @torch.no_grad()
    def apply(self) -> None:
        """Put the average in the place of the weights."""
        for name, weight in self._weights.items():
            weight.copy_(self._average[name])

    def state(self) -> dict[str, Tensor]:
        """For a checkpoint."""
        return dict(self._average)

    def load(self, state: dict[str, Tensor]) -> None:
        """Of a checkpoint."""
        self._average = {name: tensor.clone() for name, tensor in state.items()}
