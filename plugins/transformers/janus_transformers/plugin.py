"""Declares the language model ``transformers``."""

from __future__ import annotations

from collections.abc import Iterable

from janus_core.hookspecs import LanguageModelSpec, hookimpl

JANUS_HOOK_API: tuple[int, int] = (1, 0)


@hookimpl
def janus_language_models() -> Iterable[LanguageModelSpec]:
    """Yield the record of ``transformers``, which needs the extra of that name."""
    yield LanguageModelSpec(
        name="transformers",
        summary="any causal model of Hugging Face by hub name, folder or GGUF file (extra: transformers)",
        factory="janus_transformers.model:build",
        options="janus_transformers.options:TransformersOptions",
        presets={
            "tiny": {
                "weights": "none",
                "model_type": "llama",
                "settings": {
                    "hidden_size": 32,
                    "intermediate_size": 96,
                    "num_hidden_layers": 2,
                    "num_attention_heads": 2,
                    "num_key_value_heads": 2,
                    "max_position_embeddings": 16384,
                    "tie_word_embeddings": False,
                },
            },
        },
        requires=("transformers>=5.5",),
        licence="Apache-2.0 (code); each model has its own",
        paper="arXiv:1910.03771",
    )
