"""Declares the understanding encoder ``efficientnet_lite``. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from janus_core.hookspecs import UnderstandingEncoderSpec, hookimpl

JANUS_HOOK_API: tuple[int, int] = (1, 0)

TINY = {
    "blocks": ["ds_r1_k3_s2_e1_c16", "ir_r1_k3_s2_e2_c24", "ir_r1_k3_s2_e2_c32", "ir_r1_k3_s2_e2_c48"],
    "width": 64,
}


@hookimpl
def janus_understanding_encoders() -> Iterable[UnderstandingEncoderSpec]:
    """Yield the record of ``efficientnet_lite``; all but ``tiny`` leave ``weights`` to the recipe."""
    yield UnderstandingEncoderSpec(
        name="efficientnet_lite",
        summary="EfficientNet-Lite through timm: a small convolutional encoder, one token for 32x32 pixels or fewer",
        factory="janus_efficientnet_lite.model:build",
        transform="janus_efficientnet_lite.model:build_transform",
        options="janus_efficientnet_lite.options:EfficientNetLiteOptions",
        presets={"tiny": {"custom": TINY, "image_size": 256, "weights": "none"}, "lite0": {"model": "lite0"}},
        requires=("timm>=1.0.31",),
        licence="Apache-2.0",
        paper="arXiv:1905.11946",
    )
