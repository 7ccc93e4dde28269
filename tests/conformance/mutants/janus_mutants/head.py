"""A right generation head, and the same with one fault each."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from janus_core.interfaces import CodeLayout


class Good(nn.Module):
    """A linear classifier over one codebook."""

    def __init__(self, width: int, layout: CodeLayout) -> None:
        super().__init__()
        self.codebooks = layout.codebooks
        self.classes = nn.Linear(width, layout.codebooks[0])

    def loss(self, hidden: Any, codes: Any, layout: CodeLayout) -> Any:
        if layout.codebooks != self.codebooks or codes.shape != (len(hidden), 1):
            raise ValueError(f"codes {list(codes.shape)} of {layout.codebooks} do not fit {len(hidden)} states")
        return F.cross_entropy(self.classes(hidden).float(), codes[:, 0], reduction="sum"), len(hidden)

    def logits(self, hidden: Any, sampling: Any) -> Any:
        found = self.classes(hidden).float()
        if sampling.guidance != 1:
            if len(hidden) % 2:
                raise ValueError(f"guidance needs pairs of rows, got {len(hidden)} rows")
            conditional, free = found.chunk(2)
            found = free + sampling.guidance * (conditional - free)
        return found

    def sample(self, hidden: Any, noise: Any, sampling: Any) -> Any:
        logits = self.logits(hidden, sampling)
        if sampling.temperature > 0:
            logits = kept(logits / sampling.temperature, sampling) + noise(0, self.codebooks[0])
        return logits.argmax(-1, keepdim=True)


def kept(logits: Any, sampling: Any) -> Any:
    """The k likeliest, and the smallest set that reaches p; the rest is -inf."""
    values, codes = logits.sort(dim=-1, descending=True)
    before = values.softmax(-1).cumsum(-1) - values.softmax(-1)
    rank = torch.arange(values.shape[-1], device=values.device)
    out = (before >= sampling.top_p) | (rank >= (sampling.top_k or len(rank)))
    return torch.full_like(logits, -torch.inf).scatter(-1, codes, values.masked_fill(out, -torch.inf))


class Mean(Good):
    """Averages over positions."""

    def loss(self, hidden: Any, codes: Any, layout: CodeLayout) -> Any:
        total, count = super().loss(hidden, codes, layout)
        return total / max(count, 1), count


class WrongCount(Good):
    """Counts one position more."""

    def loss(self, hidden: Any, codes: Any, layout: CodeLayout) -> Any:
        total, count = super().loss(hidden, codes, layout)
        return total, count + 1


class OffByOne(Good):
    """Draws codes from K on."""

    def sample(self, hidden: Any, noise: Any, sampling: Any) -> Any:
        return super().sample(hidden, noise, sampling) + self.codebooks[0]


class IgnoresNoise(Good):
    """Takes the likeliest always."""

    def sample(self, hidden: Any, noise: Any, sampling: Any) -> Any:
        return self.logits(hidden, sampling).argmax(-1, keepdim=True)


class FloatCount(Good):
    """Counts in a tensor."""

    def loss(self, hidden: Any, codes: Any, layout: CodeLayout) -> Any:
        total, count = super().loss(hidden, codes, layout)
        return total, hidden.new_tensor(count)


class Bits(Good):
    """Losses to base 2."""

    def loss(self, hidden: Any, codes: Any, layout: CodeLayout) -> Any:
        total, count = super().loss(hidden, codes, layout)
        return total / 0.6931471805599453, count


class NoGuidance(Good):
    """Takes the conditional rows and ignores the weight."""

    def logits(self, hidden: Any, sampling: Any) -> Any:
        if sampling.guidance != 1 and len(hidden) % 2:
            raise ValueError(f"guidance needs pairs of rows, got {len(hidden)} rows")
        found = self.classes(hidden).float()
        return found.chunk(2)[0] if sampling.guidance != 1 else found


class GuidesAway(Good):
    """Takes the free rows for the conditional ones."""

    def logits(self, hidden: Any, sampling: Any) -> Any:
        if sampling.guidance != 1 and len(hidden) % 2 == 0:
            hidden = hidden.roll(len(hidden) // 2, 0)
        return super().logits(hidden, sampling)


class NoTemperature(Good):
    """Draws at temperature 1 always."""

    def sample(self, hidden: Any, noise: Any, sampling: Any) -> Any:
        if sampling.temperature > 0:
            sampling = dataclasses.replace(sampling, temperature=1.0)
        return super().sample(hidden, noise, sampling)


class NoFilters(Good):
    """Ignores top_k."""

    def sample(self, hidden: Any, noise: Any, sampling: Any) -> Any:
        return super().sample(hidden, noise, dataclasses.replace(sampling, top_k=0))


class FirstNoise(Good):
    """Asks for the noise of another codebook."""

    def sample(self, hidden: Any, noise: Any, sampling: Any) -> Any:
        return super().sample(hidden, lambda codebook, size: noise(codebook + 1, size), sampling)


class LeastLikely(Good):
    """Greedy takes the wrong end."""

    def sample(self, hidden: Any, noise: Any, sampling: Any) -> Any:
        if sampling.temperature > 0:
            return super().sample(hidden, noise, sampling)
        return self.logits(hidden, sampling).argmin(-1, keepdim=True)


for _name, _value in [(n, v) for n, v in globals().items() if isinstance(v, type)]:
    globals()[f"build_{_name}"] = lambda options, context, *, width, layout, made=_value: made(width, layout)
