"""Declares the EVA-CLIP encoder. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from janus_core.hookspecs import Layout, Rename, UnderstandingEncoderSpec, hookimpl

JANUS_HOOK_API = (1, 0)

TOP = ("cls_token", "pos_embed", "patch_embed", "blocks", "norm", "head")
"""The first parts of timm's names; ours lie under ``trunk.``."""

PRESETS: dict[str, dict[str, object]] = {
    "tiny": {
        "custom": {"image_size": 64, "patch_size": 16, "width": 32, "depth": 2, "heads": 2},
        "weights": "none",
    },
    "base": {"model": "EVA02-B-16", "tag": "merged2b_s8b_b131k"},
    "large": {"model": "EVA02-L-14", "tag": "merged2b_s4b_b131k"},
    "large_336": {"model": "EVA02-L-14-336", "tag": "merged2b_s6b_b61k"},
}
"""All but ``tiny`` leave ``weights`` to the recipe: random weights must be asked for by name."""


@hookimpl
def janus_understanding_encoders() -> Iterable[UnderstandingEncoderSpec]:
    """EVA-CLIP: every EVA tower of open_clip."""
    yield UnderstandingEncoderSpec(
        name="eva_clip",
        summary="EVA-02 CLIP vision towers of open_clip: patch tokens, class token dropped",
        factory="janus_eva_clip.model:build",
        transform="janus_eva_clip.model:build_transform",
        options="janus_eva_clip.options:EvaClipOptions",
        modality="image",
        presets=PRESETS,
        layouts={
            "timm": Layout(rules=tuple(Rename(f"trunk.{part}", part) for part in TOP)),
            "open_clip": Layout(
                rules=(Rename("trunk", "visual.trunk"),),
                ignored=("text", "logit_scale", "logit_bias", "visual.head"),
            ),
        },
        requires=("open-clip-torch>=3.3,<4", "timm>=1.0.31"),
        licence="MIT",
        paper="arXiv:2303.15389",
    )
