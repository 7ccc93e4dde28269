"""Declares the generation tokenizer ``patch_vq``, which trains in minutes on a CPU."""

from __future__ import annotations

from collections.abc import Iterable

from janus_core.hookspecs import GenerationTokenizerSpec, hookimpl
from janus_patch_vq.layouts import layouts

JANUS_HOOK_API: tuple[int, int] = (1, 0)


@hookimpl
def janus_generation_tokenizers() -> Iterable[GenerationTokenizerSpec]:
    """Yield the record of the patch tokenizer."""
    yield GenerationTokenizerSpec(
        name="patch_vq",
        summary="local codes of 8x8 patches, 512 codes by moving averages: trains in minutes on a CPU",
        factory="janus_patch_vq.model:build",
        options="janus_patch_vq.options:PatchVQOptions",
        transform="janus_patch_vq.model:build_transform",
        pretraining="janus_conv_vq.pretrain:begin",
        losses="janus_conv_vq.options:VQLosses",
        presets={
            "quickstart": {
                "patch": 8,
                "width": 128,
                "encoder_blocks": 2,
                "decoder_blocks": 3,
                "codes": 512,
                "code_width": 16,
            },
            "tiny": {
                "weights": "none",
                "patch": 8,
                "width": 32,
                "encoder_blocks": 1,
                "decoder_blocks": 1,
                "codes": 64,
                "code_width": 8,
            },
        },
        capabilities={"kind": "discrete", "codebooks": 1},
        licence="Apache-2.0",
        paper="arXiv:1711.00937",
        layouts=layouts(),
    )
