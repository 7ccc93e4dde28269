"""A right adapter, and the same with one fault each."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from janus_core.interfaces import Features


class Good(nn.Module):
    """Two layers, token by token."""

    def __init__(self, in_width: int, out_width: int) -> None:
        super().__init__()
        self.in_width = in_width
        self.layers = nn.Sequential(nn.Linear(in_width, out_width), nn.GELU(), nn.Linear(out_width, out_width))

    def num_tokens(self, n: int) -> int:
        return n

    def check(self, features: Features) -> None:
        if features.tokens.ndim != 3 or features.tokens.shape[-1] != self.in_width:
            raise ValueError(f"expected tokens [B, N, {self.in_width}], got {list(features.tokens.shape)}")

    def forward(self, features: Features) -> Features:
        self.check(features)
        return Features(self.layers(features.tokens), features.mask)


class OneMore(Good):
    """Adds a token and does not say so."""

    def forward(self, features: Features) -> Features:
        found = super().forward(Features(features.tokens))
        return Features(torch.cat((found.tokens, found.tokens[:, :1]), dim=1))


class Narrow(Good):
    """Gives another width than it was asked for."""

    def forward(self, features: Features) -> Features:
        found = super().forward(features)
        return Features(found.tokens[..., 1:], found.mask)


class DropsMask(Good):
    """Forgets which tokens are real."""

    def forward(self, features: Features) -> Features:
        return Features(super().forward(features).tokens)


class Reverses(Good):
    """Gives the tokens back to front."""

    def forward(self, features: Features) -> Features:
        found = super().forward(features)
        mask = None if found.mask is None else found.mask.flip(1)
        return Features(found.tokens.flip(1), mask)


class CutsLong(Good):
    """Keeps 512 tokens and says that it keeps all."""

    def forward(self, features: Features) -> Features:
        found = super().forward(features)
        return Features(found.tokens[:, :512], None if found.mask is None else found.mask[:, :512])


class FixedWidths(Good):
    """Is always built for the widths of one model."""

    def __init__(self, in_width: int, out_width: int) -> None:
        super().__init__(24, 32)


class Pads(nn.Module):
    """Fills up with zeros what is too narrow: there is nothing to learn."""

    def __init__(self, in_width: int, out_width: int) -> None:
        super().__init__()
        self.in_width, self.more = in_width, out_width - in_width

    num_tokens, check = Good.num_tokens, Good.check

    def forward(self, features: Features) -> Features:
        self.check(features)
        return Features(nn.functional.pad(features.tokens, (0, self.more)), features.mask)


class HalfWidth(Good):
    """Reads half of the channels."""

    def __init__(self, in_width: int, out_width: int) -> None:
        super().__init__(in_width, out_width)
        self.layers[0] = nn.Linear(in_width // 2, out_width)

    def forward(self, features: Features) -> Features:
        self.check(features)
        return Features(self.layers(features.tokens[..., : self.in_width // 2]), features.mask)


class SeesPadding(Good):
    """Adds the mean of all tokens, padding too."""

    def forward(self, features: Features) -> Features:
        found = super().forward(features)
        return Features(found.tokens + found.tokens.mean(dim=1, keepdim=True), found.mask)


for _name, _value in [(n, v) for n, v in globals().items() if isinstance(v, type)]:
    globals()[f"build_{_name}"] = lambda options, context, *, in_width, out_width, made=_value: made(
        in_width, out_width
    )
__all__ = ["Any", "Good"]
