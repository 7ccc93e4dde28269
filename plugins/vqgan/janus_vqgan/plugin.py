"""Declares the generation tokenizer ``vqgan``."""

from __future__ import annotations

from collections.abc import Iterable

from janus_core.hookspecs import GenerationTokenizerSpec, hookimpl
from janus_vqgan.layouts import layouts

JANUS_HOOK_API: tuple[int, int] = (1, 0)

# configs/custom_vqgan.yaml and the ImageNet configs of CompVis/taming-transformers.
IMAGENET_F16: dict[str, object] = {
    "code_width": 256,
    "base_channels": 128,
    "channel_multipliers": (1, 1, 2, 2, 4),
    "residual_blocks": 2,
    "latent_channels": 256,
    "resolution": 256,
    "attention_resolutions": (16,),
}


@hookimpl
def janus_generation_tokenizers() -> Iterable[GenerationTokenizerSpec]:
    """Yield the record of VQGAN."""
    yield GenerationTokenizerSpec(
        name="vqgan",
        summary="VQGAN of Taming Transformers: 16x16 pixels a code, raw codebook",
        factory="janus_vqgan.model:build",
        options="janus_vqgan.options:VQGANOptions",
        transform="janus_vqgan.model:build_transform",
        pretraining="janus_conv_vq.pretrain:begin",
        losses="janus_conv_vq.options:VQLosses",
        presets={
            "imagenet_f16_1024": {**IMAGENET_F16, "codes": 1024},
            "imagenet_f16_16384": {**IMAGENET_F16, "codes": 16384},
            "tiny": {
                "weights": "none",
                "codes": 64,
                "code_width": 16,
                "base_channels": 32,
                "channel_multipliers": (1, 1, 1, 1, 1),
                "residual_blocks": 1,
                "latent_channels": 16,
                "resolution": 256,
                "attention_resolutions": (16,),
            },
        },
        capabilities={"kind": "discrete", "codebooks": 1},
        requires=("taming-transformers>=0.0.1",),
        licence="MIT",
        paper="arXiv:2012.09841",
        layouts=layouts(),
    )
