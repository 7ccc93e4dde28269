"""Declares the understanding encoder ``tokenizer_as_encoder``."""

from __future__ import annotations

from collections.abc import Iterable

from janus_core.hookspecs import UnderstandingEncoderSpec, hookimpl

JANUS_HOOK_API: tuple[int, int] = (1, 0)


@hookimpl
def janus_understanding_encoders() -> Iterable[UnderstandingEncoderSpec]:
    """Yield the record of ``tokenizer_as_encoder``."""
    yield UnderstandingEncoderSpec(
        name="tokenizer_as_encoder",
        summary="a generation tokenizer that also serves understanding: ablation A of the Janus paper",
        factory="janus_tokenizer_as_encoder.model:build",
        options="janus_tokenizer_as_encoder.options:TokenizerAsEncoderOptions",
        transform="janus_tokenizer_as_encoder.model:build_transform",
        presets={"tiny": {}},
        capabilities={
            "needs_ref": "generation_tokenizer",
            "gradient_to_input": False,
            "export": False,  # embed looks at the codes' range
            "compile": False,
            # Which weights of the shared tokenizer the vectors of its codes teach is the tokenizer's affair.
            "unused_parameters": ("tokenizer",),
        },
        licence="Apache-2.0",
        paper="arXiv:2410.13848",
    )
