"""Declares the generation tokenizer ``llamagen_vq``, which Janus calls VQ-16."""

from __future__ import annotations

from collections.abc import Iterable

from janus_core.hookspecs import GenerationTokenizerSpec, hookimpl
from janus_llamagen_vq.layouts import layouts

JANUS_HOOK_API: tuple[int, int] = (1, 0)

# tokenizer/tokenizer_image/vq_model.py of FoundationVision/LlamaGen; Janus: models/vq_model.py.
PUBLISHED: dict[str, object] = {
    "codes": 16384,
    "code_width": 8,
    "base_channels": 128,
    "residual_blocks": 2,
    "latent_channels": 256,
}


@hookimpl
def janus_generation_tokenizers() -> Iterable[GenerationTokenizerSpec]:
    """Yield the record of the LlamaGen tokenizer."""
    yield GenerationTokenizerSpec(
        name="llamagen_vq",
        summary="VQ-16 and VQ-8 of LlamaGen, the tokenizer of Janus and Janus-Pro: 16384 codes of length 1",
        factory="janus_llamagen_vq.model:build",
        options="janus_llamagen_vq.options:LlamaGenVQOptions",
        transform="janus_llamagen_vq.model:build_transform",
        pretraining="janus_conv_vq.pretrain:begin",
        losses="janus_conv_vq.options:VQLosses",
        presets={
            "vq16": {**PUBLISHED, "channel_multipliers": (1, 1, 2, 2, 4)},
            "vq8": {**PUBLISHED, "channel_multipliers": (1, 2, 2, 4)},
            "tiny": {
                "weights": "none",
                "codes": 64,
                "code_width": 8,
                "base_channels": 32,
                "channel_multipliers": (1, 1, 1, 1, 2),
                "residual_blocks": 1,
                "latent_channels": 32,
            },
        },
        capabilities={"kind": "discrete", "codebooks": 1},
        licence="MIT",
        paper="arXiv:2406.06525",
        layouts=layouts(levels=5),  # only taming depends on the number; the factory counts anew for vq8
    )
