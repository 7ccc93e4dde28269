"""Adapters that work token by token and keep the number of tokens: ``mlp``, ``linear``, ``identity``."""

from __future__ import annotations

from torch import nn

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
    """Applies ``layers`` to each token; mask and positions pass unchanged, so padding can change no real token."""

    def __init__(self, in_width: int, layers: nn.Module) -> None:
        super().__init__()
        self.in_width = in_width
        self.layers = layers

    def num_tokens(self, n: int) -> int:
        """As many as go in."""
        return n

    def forward(self, features: Features) -> Features:
        """[B, N, in_width] -> [B, N, out_width]."""
        check_features(features, self.in_width)
        return Features(self.layers(features.tokens), features.mask, features.positions)


def build_mlp(options: MlpOptions, context: BuildContext, *, in_width: int, out_width: int) -> Adapter:
    """Linear(in, out), then depth - 1 times exact GELU and Linear(out, out).

    Named as ``MlpProjector`` of deepseek-ai/Janus (``mlp_gelu``): ``layers.0``, ``layers.2`` …
    """
    layers: list[nn.Module] = [nn.Linear(in_width, out_width)]
    for _ in range(options.depth - 1):
        layers += [nn.GELU(), nn.Linear(out_width, out_width)]
    return Pointwise(in_width, nn.Sequential(*layers))


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
