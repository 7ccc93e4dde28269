"""Builds the SigLIP encoder and its transform."""

from __future__ import annotations

from janus_core.interfaces import BuildContext
from janus_open_clip.preprocess import ImageTransform
from janus_open_clip.tower import VisionTower, build_options_trunk
from janus_open_clip.weights import load_weights
from janus_siglip.options import SigLIPOptions

CUSTOM_BASE = "vit_large_patch16_siglip_384"
"""The timm model that custom sizes vary: Janus' own, with exact GELU."""


class SigLIPEncoder(VisionTower):
    """SigLIP's vision tower: patch tokens after the final norm, [B, 576, 1024] for Janus' (``siglip_vit.py``)."""


def build(options: SigLIPOptions, context: BuildContext) -> SigLIPEncoder:
    """The encoder with the weights that the options name; `WeightsError` if they do not fit."""
    trunk = build_options_trunk(options, CUSTOM_BASE)
    if not context.skip_weights:
        load_weights(trunk, options, context.folder)
    return SigLIPEncoder(trunk, layer=options.layer, norm=options.apply_norm(), pool=options.pool)


def build_transform(options: SigLIPOptions, context: BuildContext) -> ImageTransform:
    """The preprocessing that the model and tag need, whatever the weights are."""
    return options.transform()
