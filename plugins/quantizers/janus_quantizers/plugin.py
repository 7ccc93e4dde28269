"""Declares the generation tokenizers ``fsq``, ``lfq`` and ``residual`` on vector-quantize-pytorch."""

from __future__ import annotations

from collections.abc import Iterable

from janus_core.hookspecs import GenerationTokenizerSpec, hookimpl
from janus_quantizers.layouts import layouts

JANUS_HOOK_API: tuple[int, int] = (1, 0)

REQUIRES = ("vector-quantize-pytorch>=1.32,<2",)

TINY: dict[str, object] = {
    "weights": "none",
    "base_channels": 32,
    "channel_multipliers": (1, 1, 1, 1, 1),
    "residual_blocks": 1,
    "latent_channels": 16,
}


@hookimpl
def janus_generation_tokenizers() -> Iterable[GenerationTokenizerSpec]:
    """Yield the records of the three; all need the extra ``quantizers``."""
    yield GenerationTokenizerSpec(
        name="fsq",
        summary="finite scalar quantization: rounded numbers, one codebook or several (extra: quantizers)",
        factory="janus_quantizers.model:build_fsq",
        options="janus_quantizers.options:FSQOptions",
        transform="janus_quantizers.model:build_transform",
        pretraining="janus_conv_vq.pretrain:begin",
        losses="janus_conv_vq.options:VQLosses",
        # Mentzer et al. 2309.15505, table 1: the rows 2^10 to 2^16.
        presets={
            "codes_1000": {"levels": (8, 5, 5, 5)},
            "codes_4375": {"levels": (7, 5, 5, 5, 5)},
            "codes_15360": {"levels": (8, 8, 8, 6, 5)},
            "codes_64000": {"levels": (8, 8, 8, 5, 5, 5)},
            "tiny": {**TINY, "levels": (4, 4, 4)},
        },
        capabilities={"kind": "discrete"},  # the options decide how many codebooks there are
        requires=REQUIRES,
        licence="Apache-2.0",
        paper="arXiv:2309.15505",
        layouts=layouts("fsq"),
    )
    yield GenerationTokenizerSpec(
        name="lfq",
        summary="lookup-free quantization: signs as codes, one codebook or several (extra: quantizers)",
        factory="janus_quantizers.model:build_lfq",
        options="janus_quantizers.options:LFQOptions",
        transform="janus_quantizers.model:build_transform",
        pretraining="janus_conv_vq.pretrain:begin",
        losses="janus_quantizers.options:LFQLosses",
        presets={
            "magvit2": {"bits": 18, "codebooks": 2},
            "codes_16384": {"bits": 14, "codebooks": 1},
            "tiny": {**TINY, "bits": 6, "codebooks": 1},
        },
        capabilities={"kind": "discrete"},  # the options decide how many codebooks there are
        requires=REQUIRES,
        licence="Apache-2.0",
        paper="arXiv:2310.05737",
        layouts=layouts("lfq"),
    )
    yield GenerationTokenizerSpec(
        name="residual",
        summary="residual quantization: several codebooks at each position (extra: quantizers)",
        factory="janus_quantizers.model:build_residual",
        options="janus_quantizers.options:ResidualOptions",
        transform="janus_quantizers.model:build_transform",
        pretraining="janus_conv_vq.pretrain:begin",
        losses="janus_conv_vq.options:VQLosses",
        presets={
            "rq_4x16384": {"codes": 16384, "code_width": 256, "codebooks": 4},
            "tiny": {**TINY, "codes": 16, "code_width": 8, "codebooks": 3},
        },
        capabilities={"kind": "discrete"},  # the options decide how many codebooks there are
        requires=REQUIRES,
        licence="Apache-2.0",
        paper="arXiv:2203.01941",
        layouts=layouts("residual"),
    )
