"""Declares the generation tokenizer ``movqgan``."""

from __future__ import annotations

from collections.abc import Iterable

from janus_core.hookspecs import GenerationTokenizerSpec, hookimpl
from janus_movqgan.layouts import layouts

JANUS_HOOK_API: tuple[int, int] = (1, 0)

# The three published models of ai-forever/MoVQGAN.
PUBLISHED: dict[str, object] = {
    "codes": 16384,
    "code_width": 4,
    "channel_multipliers": (1, 2, 2, 4),
    "latent_channels": 4,
}


@hookimpl
def janus_generation_tokenizers() -> Iterable[GenerationTokenizerSpec]:
    """Yield the record of MoVQGAN."""
    yield GenerationTokenizerSpec(
        name="movqgan",
        summary="MoVQGAN: 8x8 pixels a code, 16384 codes, a decoder that is conditioned on the codes at every norm",
        factory="janus_movqgan.model:build",
        options="janus_movqgan.options:MoVQGANOptions",
        transform="janus_movqgan.model:build_transform",
        pretraining="janus_conv_vq.pretrain:begin",
        losses="janus_conv_vq.options:VQLosses",
        presets={
            "67m": {**PUBLISHED, "base_channels": 128, "residual_blocks": 2},
            "102m": {**PUBLISHED, "base_channels": 128, "residual_blocks": 4},
            "270m": {**PUBLISHED, "base_channels": 256, "residual_blocks": 2},
            "tiny": {
                "weights": "none",
                "codes": 64,
                "code_width": 4,
                "base_channels": 32,
                "channel_multipliers": (1, 1, 1, 2),
                "residual_blocks": 1,
                "latent_channels": 4,
            },
        },
        capabilities={"kind": "discrete", "codebooks": 1},
        licence="Apache-2.0 (this code; the published weights state no licence)",
        paper="arXiv:2209.09002",
        layouts=layouts(levels=4),
    )
