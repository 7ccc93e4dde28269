"""Declares the understanding encoder ``siglip2``. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from janus_core.hookspecs import UnderstandingEncoderSpec, hookimpl

JANUS_HOOK_API: tuple[int, int] = (1, 0)


@hookimpl
def janus_understanding_encoders() -> Iterable[UnderstandingEncoderSpec]:
    """Yield the record of SigLIP 2 NaFlex."""
    yield UnderstandingEncoderSpec(
        name="siglip2",
        summary="SigLIP 2 NaFlex through timm: any aspect ratio, as many tokens as a picture has patches",
        factory="janus_siglip2.model:build",
        transform="janus_siglip2.model:build_transform",
        options="janus_siglip2.options:Siglip2Options",
        modality="image",
        # All but ``tiny`` leave ``weights`` to the recipe: random weights must be asked for by name.
        presets={
            "tiny": {
                "custom": {"patch_size": 16, "width": 32, "depth": 2, "heads": 2, "positions": 4},
                "max_patches": 16,
                "weights": "none",
            },
            "base": {"model": "naflexvit_base_patch16_siglip"},
            "so400m": {"model": "naflexvit_so400m_patch16_siglip"},
            "so400m_1024": {"model": "naflexvit_so400m_patch16_siglip", "max_patches": 1024},
        },
        # The attention pool is kept for the checkpoint's sake.
        capabilities={"variable_length": True, "unused_parameters": ("trunk.attn_pool",)},
        requires=("timm>=1.0.31", "open-clip-torch>=3.3,<4"),
        licence="Apache-2.0",
        paper="arXiv:2502.14786",
    )
