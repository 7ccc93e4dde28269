"""Declares the SigLIP encoder. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from janus_core.hookspecs import UnderstandingEncoderSpec, hookimpl
from janus_siglip.layouts import LAYOUTS

JANUS_HOOK_API = (1, 0)

PRESETS: dict[str, dict[str, object]] = {
    "tiny": {
        "custom": {"image_size": 64, "patch_size": 16, "width": 32, "depth": 2, "heads": 2},
        "weights": "none",
    },
    "quickstart": {
        "custom": {"image_size": 64, "patch_size": 8, "width": 128, "depth": 4, "heads": 4},
    },
    "paper": {"model": "ViT-L-16-SigLIP-384", "tag": "webli", "resize": "pad"},
    "siglip_base": {"model": "ViT-B-16-SigLIP", "tag": "webli"},
    "siglip_so400m": {"model": "ViT-SO400M-14-SigLIP-384", "tag": "webli"},
    "siglip2_base": {"model": "ViT-B-16-SigLIP2", "tag": "webli"},
    "siglip2_large": {"model": "ViT-L-16-SigLIP2-384", "tag": "webli"},
    "siglip2_so400m": {"model": "ViT-SO400M-14-SigLIP2-378", "tag": "webli"},
}
"""All but ``tiny`` leave ``weights`` to the recipe: random weights must be asked for by name."""


@hookimpl
def janus_understanding_encoders() -> Iterable[UnderstandingEncoderSpec]:
    """SigLIP: Janus' understanding encoder, and every SigLIP and SigLIP 2 of open_clip."""
    yield UnderstandingEncoderSpec(
        name="siglip",
        summary="SigLIP and SigLIP 2 vision towers of open_clip: patch tokens, Janus' encoder by default",
        factory="janus_siglip.model:build",
        transform="janus_siglip.model:build_transform",
        options="janus_siglip.options:SigLIPOptions",
        modality="image",
        pretraining="janus_siglip.pretrain:begin",
        losses="janus_siglip.options:SigLIPLosses",
        presets=PRESETS,
        layouts=LAYOUTS,
        # The attention pool is kept for the checkpoint's sake, and used only when the encoder is trained alone.
        capabilities={"unused_parameters": ("trunk.attn_pool",)},
        requires=("open-clip-torch>=3.3,<4", "timm>=1.0.31"),
        licence="Apache-2.0",
        paper="arXiv:2303.15343",
    )
