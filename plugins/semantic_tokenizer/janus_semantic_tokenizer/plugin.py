"""Declares the semantic tokenizer in its two roles: generation tokenizer and understanding encoder."""

from __future__ import annotations

from collections.abc import Iterable

from janus_core.hookspecs import GenerationTokenizerSpec, Layout, UnderstandingEncoderSpec, hookimpl

JANUS_HOOK_API: tuple[int, int] = (1, 0)

PAPER = "arXiv:2410.13848"
REQUIRES = ("open-clip-torch>=3.3,<4", "timm>=1.0.31")

PRESETS: dict[str, dict[str, object]] = {
    # Janus, appendix A: LlamaGen's tokenizer with downsampling 16; 12 layers, 12 heads, width 768.
    "paper": {
        "codes": 16384,
        "code_width": 8,
        "base_channels": 128,
        "channel_multipliers": (1, 1, 2, 2, 4),
        "residual_blocks": 2,
        "latent_channels": 256,
        "semantic_layers": 12,
        "semantic_heads": 12,
        "semantic_width": 768,
    },
    "tiny": {
        "weights": "none",
        "codes": 64,
        "code_width": 8,
        "base_channels": 32,
        "channel_multipliers": (1, 1, 1, 1, 2),
        "residual_blocks": 1,
        "latent_channels": 32,
        "semantic_layers": 2,
        "semantic_heads": 2,
        "semantic_width": 32,
    },
}


@hookimpl
def janus_generation_tokenizers() -> Iterable[GenerationTokenizerSpec]:
    """Yield the record of the tokenizer."""
    yield GenerationTokenizerSpec(
        name="semantic_tokenizer",
        summary="VQ-16 whose codes are also taught to mean what SigLIP sees: ablations B and C of the Janus paper",
        factory="janus_semantic_tokenizer.model:build",
        options="janus_semantic_tokenizer.options:SemanticTokenizerOptions",
        transform="janus_semantic_tokenizer.model:build_transform",
        pretraining="janus_semantic_tokenizer.pretrain:begin",
        losses="janus_semantic_tokenizer.options:SemanticLosses",
        presets=PRESETS,
        capabilities={"kind": "discrete", "codebooks": 1},
        requires=REQUIRES,
        licence="Apache-2.0",
        paper=PAPER,
        layouts={"semantic_tokenizer": Layout()},
    )


@hookimpl
def janus_understanding_encoders() -> Iterable[UnderstandingEncoderSpec]:
    """Yield the record of the encoder that shares the tokenizer."""
    yield UnderstandingEncoderSpec(
        name="semantic_tokenizer_encoder",
        summary="the semantic decoder of the model's semantic_tokenizer: its codes, understood",
        factory="janus_semantic_tokenizer.encoder:build",
        options="janus_semantic_tokenizer.options:SemanticEncoderOptions",
        transform="janus_semantic_tokenizer.encoder:build_transform",
        presets={"tiny": {}},
        capabilities={
            "needs_ref": "generation_tokenizer",
            "gradient_to_input": False,
            "export": False,  # embed looks at the codes' range
            "compile": False,
            # The codes are discrete, and pixels are not decoded: these get no gradient by this road.
            "unused_parameters": tuple(
                f"tokenizer.{part}" for part in ("encoder", "decoder", "quant_conv", "post_quant_conv")
            ),
        },
        requires=REQUIRES,
        licence="Apache-2.0",
        paper=PAPER,
    )
