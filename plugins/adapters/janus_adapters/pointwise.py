"""Adapters that work token by token: ``mlp``, ``linear``, ``identity``; ``mlp`` may join squares of tokens first."""

from __future__ import annotations

import math

from torch import Tensor, nn

from janus_adapters.options import IdentityOptions, LinearOptions, MlpOptions
from janus_core.interfaces import Adapter, BuildContext, Features


def check_features(features: Features, width: int) -> None:
    """Raise `ValueError` unless ``features`` has tokens [B, N, width] and, if any, a mask bool [B, N]."""
    tokens, mask = features.tokens, features.mask
    if tokens.dim() != 3 or tokens.shape[-1] != width:
        raise ValueError(f"features have shape {tuple(tokens.shape)}; this adapter was built for [B, N, {width}]")
    if mask is not None and mask.shape != tokens.shape[:2]:
        raise ValueError(f"the mask has shape {tuple(mask.shape)}, the tokens {tuple(tokens.shape)}: give [B, N]")


class Pointwise(nn.Module):
    """Applies ``layers`` to each token; mask and positions pass unchanged, so padding can change no real token.

    With ``merge`` m above 1 the tokens must be a square grid in raster order, whole: m x m neighbours become one
    token of m * m times the width before the layers.
    """

    def __init__(self, in_width: int, layers: nn.Module, merge: int = 1) -> None:
        super().__init__()
        self.in_width, self.merge = in_width, merge
        self.layers = layers

    def num_tokens(self, n: int) -> int:
        """n / merge ** 2; `ValueError` if n tokens are no square grid that ``merge`` divides."""
        side = math.isqrt(n)
        if self.merge > 1 and (side * side != n or side % self.merge):
            raise ValueError(
                f"merge {self.merge} needs a square grid of tokens with a side that it divides, not {n} tokens: "
                "use merge 1, or the adapter resampler"
            )
        return n // self.merge**2

    def forward(self, features: Features) -> Features:
        """[B, N, in_width] -> [B, num_tokens(N), out_width]."""
        check_features(features, self.in_width)
        if self.merge == 1:
            return Features(self.layers(features.tokens), features.mask, features.positions)
        if features.mask is not None and not features.mask.all():
            raise ValueError(f"merge {self.merge} cannot join tokens of which some are padding: use merge 1")
        return Features(self.layers(self._merged(features.tokens)))

    def _merged(self, tokens: Tensor) -> Tensor:
        batch, count, width = tokens.shape
        side, m = math.isqrt(self.num_tokens(count)), self.merge
        squares = tokens.view(batch, side, m, side, m, width).transpose(2, 3)
        return squares.reshape(batch, side * side, m * m * width)


def build_mlp(options: MlpOptions, context: BuildContext, *, in_width: int, out_width: int) -> Adapter:
    """Linear(in, out), then depth - 1 times exact GELU and Linear(out, out).

    Named as ``MlpProjector`` of deepseek-ai/Janus (``mlp_gelu``): ``layers.0``, ``layers.2`` …
    """
    layers: list[nn.Module] = [nn.Linear(in_width * options.merge**2, out_width)]
    for _ in range(options.depth - 1):
        layers += [nn.GELU(), nn.Linear(out_width, out_width)]
    return Pointwise(in_width, nn.Sequential(*layers), options.merge)


def build_linear(options: LinearOptions, context: BuildContext, *, in_width: int, out_width: int) -> Adapter:
    """One linear layer, named ``layers`` as in deepseek-ai/Janus (projector type ``linear``)."""
    return Pointwise(in_width, nn.Linear(in_width, out_width, bias=options.bias))


def build_identity(options: IdentityOptions, context: BuildContext, *, in_width: int, out_width: int) -> Adapter:
    """No layer at all; `ValueError` unless the widths are equal."""
    if in_width != out_width:
        raise ValueError(
            f"the adapter identity cannot turn width {in_width} into {out_width}: use linear or mlp, or an encoder "
            f"whose width is {out_width}"
        )
    return Pointwise(in_width, nn.Identity())
