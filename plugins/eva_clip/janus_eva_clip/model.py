"""Builds the EVA-CLIP encoder and its transform."""

from __future__ import annotations

from janus_core.interfaces import BuildContext
from janus_eva_clip.options import EvaClipOptions
from janus_open_clip.preprocess import ImageTransform
from janus_open_clip.tower import VisionTower, build_options_trunk
from janus_open_clip.weights import load_weights

CUSTOM_BASE = "eva02_base_patch16_clip_224"
"""The timm model that custom sizes vary: rotary positions, SwiGLU, norms inside attention and MLP, class token."""


class EvaClipEncoder(VisionTower):
    """EVA-CLIP's vision tower (arXiv:2303.15389): patch tokens, [B, 576, 1024] for EVA02-L-14-336."""


def build(options: EvaClipOptions, context: BuildContext) -> EvaClipEncoder:
    """The encoder with the weights that the options name; `WeightsError` if they do not fit."""
    trunk = build_options_trunk(options, CUSTOM_BASE)
    if not context.skip_weights:
        load_weights(trunk, options, context.folder)
    return EvaClipEncoder(trunk, layer=options.layer, norm=options.apply_norm(), pool=options.pool)


def build_transform(options: EvaClipOptions, context: BuildContext) -> ImageTransform:
    """The preprocessing that the model and tag need, whatever the weights are."""
    return options.transform()
