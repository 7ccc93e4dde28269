"""A wrapped model as an understanding encoder, and its transform."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from janus_core.interfaces import BuildContext, Features
from janus_open_clip.preprocess import ImageTransform
from janus_wrap.library import library
from janus_wrap.options import WrapOptions


class WrappedEncoder(nn.Module):
    """Pixels [B, 3, S, S] -> the model's last features [B, N, width]: one token a patch or cell, in raster order.

    The weights lie under ``trunk.`` with the library's own names.

    Attributes:
        num_tokens: N.
        width: of a token.
        image_size: S, side of the input in pixels.
    """

    modality: str = "image"
    trunk: nn.Module

    def __init__(self, options: WrapOptions) -> None:
        super().__init__()
        self.options, self.image_size = options, options.side
        self.num_tokens, self.width = shape_of(options)
        self.trunk = library(options.facts.library).build_trunk(options.facts, options.side, options.config)
        self._empty = any(tensor.is_meta for tensor in (*self.trunk.parameters(), *self.trunk.buffers()))
        self.register_load_state_dict_post_hook(_restore_buffers)  # type: ignore[no-untyped-call]

    def forward(self, inputs: Any) -> Features:
        """float [B, 3, S, S] -> tokens [B, N, width]; `ValueError` for another shape."""
        side = self.image_size
        if inputs.ndim != 4 or inputs.shape[1:] != (3, side, side):
            raise ValueError(f"pixels have shape {list(inputs.shape)}: this encoder takes [B, 3, {side}, {side}]")
        return Features(_tokens(self.trunk, self.options, inputs))


def _tokens(trunk: nn.Module, options: WrapOptions, pixels: Tensor) -> Tensor:
    dtype = next(trunk.parameters()).dtype
    return library(options.facts.library).tokens(trunk, pixels.to(dtype))


def _restore_buffers(encoder: WrappedEncoder, _: Any) -> None:
    """After a load into a model that was built on the meta device: what no checkpoint holds is computed anew."""
    if not encoder._empty:
        return
    saved, wanted = encoder.trunk.state_dict().keys(), dict(encoder.trunk.named_buffers())
    wanted = {name: buffer for name, buffer in wanted.items() if name not in saved}
    if any(buffer.is_meta for buffer in wanted.values()):
        return
    if wanted:
        options = encoder.options
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            twin = library(options.facts.library).build_trunk(options.facts, options.side, options.config)
        made = dict(twin.named_buffers())
        for name, buffer in wanted.items():
            buffer.copy_(made[name])
    encoder._empty = False


def shape_of(options: WrapOptions) -> tuple[int, int]:
    """(number of tokens, width) of the model that the options name, from a forward without weights."""
    return _shape(type(options), options.side, json.dumps(options.config, sort_keys=True))


@cache
def _shape(model: type[WrapOptions], side: int, config: str) -> tuple[int, int]:
    options = model(weights="none", image_size=side, config=json.loads(config))
    with torch.random.fork_rng(devices=[]), torch.device("meta"), torch.no_grad():
        trunk = library(options.facts.library).build_trunk(options.facts, side, options.config).eval()
        found = _tokens(trunk, options, torch.zeros(1, 3, side, side))
    return int(found.shape[1]), int(found.shape[2])


def build(options: WrapOptions, context: BuildContext) -> WrappedEncoder:
    """The encoder with the weights that the options name.

    Raises:
        ValueError: a size or settings that the library refuses; weights that cannot be read or do not fit.
    """
    encoder = WrappedEncoder(options)
    if options.weights != "none" and not context.skip_weights and not encoder._empty:
        library(options.facts.library).load_weights(encoder.trunk, options, context.folder)
    return encoder


def build_transform(options: WrapOptions, context: BuildContext) -> ImageTransform:
    """The preprocessing of the model, whatever its weights are."""
    facts = options.facts
    return ImageTransform(
        size=options.side,
        num_tokens=shape_of(options)[0],
        mean=options.mean or facts.mean,
        std=options.std or facts.std,
        interpolation=facts.interpolation,
        resize=options.resize or facts.resize,
    )
