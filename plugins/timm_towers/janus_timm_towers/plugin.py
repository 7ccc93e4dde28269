"""Declares the understanding encoders ``clip``, ``dinov2`` and ``dinov3``. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from janus_core.hookspecs import Layout, Rename, UnderstandingEncoderSpec, hookimpl

JANUS_HOOK_API: tuple[int, int] = (1, 0)

TOP = ("cls_token", "reg_token", "pos_embed", "patch_embed", "norm_pre", "blocks", "norm")
"""The first parts of timm's names; ours lie under ``trunk.``."""

TINY: dict[str, object] = {
    "custom": {"image_size": 64, "patch_size": 16, "width": 32, "depth": 2, "heads": 2},
    "weights": "none",
}

# All but ``tiny`` leave ``weights`` to the recipe: random weights must be asked for by name.
CLIP: dict[str, dict[str, object]] = {
    "tiny": TINY,
    "base": {"model": "vit_base_patch16_clip_quickgelu_224", "tag": "openai"},
    "large": {"model": "vit_large_patch14_clip_quickgelu_224", "tag": "openai"},
    "large_336": {"model": "vit_large_patch14_clip_quickgelu_336", "tag": "openai"},
    "llava": {"model": "vit_large_patch14_clip_quickgelu_336", "tag": "openai", "layer": -2, "norm": False},
    "laion_huge": {"model": "vit_huge_patch14_clip_224", "tag": "laion2b"},
}
DINOV2: dict[str, dict[str, object]] = {
    "tiny": TINY,
    "small": {"model": "vit_small_patch14_reg4_dinov2", "tag": "lvd142m"},
    "base": {"model": "vit_base_patch14_reg4_dinov2", "tag": "lvd142m"},
    "large": {"model": "vit_large_patch14_reg4_dinov2", "tag": "lvd142m"},
    "large_336": {"model": "vit_large_patch14_reg4_dinov2", "tag": "lvd142m", "image_size": 336},
}
DINOV3: dict[str, dict[str, object]] = {
    "tiny": TINY,
    "small": {"model": "vit_small_patch16_dinov3", "tag": "lvd1689m"},
    "base": {"model": "vit_base_patch16_dinov3", "tag": "lvd1689m"},
    "large": {"model": "vit_large_patch16_dinov3", "tag": "lvd1689m"},
    "large_384": {"model": "vit_large_patch16_dinov3", "tag": "lvd1689m", "image_size": 384},
}


def _spec(
    name: str, summary: str, options: str, presets: dict[str, dict[str, object]], licence: str, paper: str
) -> UnderstandingEncoderSpec:
    return UnderstandingEncoderSpec(
        name=name,
        summary=summary,
        factory="janus_timm_towers.model:build",
        transform="janus_timm_towers.model:build_transform",
        options=f"janus_timm_towers.options:{options}",
        modality="image",
        presets=presets,
        layouts={"timm": Layout(rules=tuple(Rename(f"trunk.{part}", part) for part in TOP), ignored=("head",))},
        requires=("timm>=1.0.31", "open-clip-torch>=3.3,<4"),
        licence=licence,
        paper=paper,
    )


@hookimpl
def janus_understanding_encoders() -> Iterable[UnderstandingEncoderSpec]:
    """Yield the records of the three."""
    yield _spec(
        "clip",
        "vision towers of OpenAI's and LAION's CLIP, through timm: patch tokens, class token dropped",
        "ClipOptions",
        CLIP,
        "Apache-2.0; MIT (laion400m_e32), Apple ASCL (dfn5b)",
        "arXiv:2103.00020",
    )
    yield _spec(
        "dinov2",
        "DINOv2 through timm, with or without registers: patch tokens at any multiple of 14 pixels",
        "Dinov2Options",
        DINOV2,
        "Apache-2.0",
        "arXiv:2304.07193",
    )
    yield _spec(
        "dinov3",
        "DINOv3 through timm: patch tokens with rotary positions at any multiple of 16 pixels",
        "Dinov3Options",
        DINOV3,
        "DINOv3 License",
        "arXiv:2508.10104",
    )
