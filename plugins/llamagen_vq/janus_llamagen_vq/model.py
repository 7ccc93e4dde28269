"""Builds VQ-16 and VQ-8 of LlamaGen."""

from __future__ import annotations

from janus_conv_vq.llamagen import LlamaGenVQ
from janus_conv_vq.pixels import PixelTransform, transform
from janus_conv_vq.weights import load_weights
from janus_core.interfaces import BuildContext
from janus_llamagen_vq.layouts import layouts
from janus_llamagen_vq.options import LlamaGenVQOptions

__all__ = ["LlamaGenVQ", "build", "build_transform"]


def build(options: LlamaGenVQOptions, context: BuildContext) -> LlamaGenVQ:
    """Build the tokenizer and read its weights."""
    tokenizer = LlamaGenVQ(options)
    formats = layouts(len(options.channel_multipliers))
    load_weights(tokenizer, options.weights, options.format, formats, context)
    return tokenizer


def build_transform(options: LlamaGenVQOptions, context: BuildContext) -> PixelTransform:
    """The transform of the pictures that the model draws."""
    return transform(options.factor, context)
