"""Declares the language model ``llama``."""

from __future__ import annotations

from collections.abc import Iterable

from janus_core.hookspecs import LanguageModelSpec, Layout, hookimpl

JANUS_HOOK_API: tuple[int, int] = (1, 0)


@hookimpl
def janus_language_models() -> Iterable[LanguageModelSpec]:
    """Yield the record of ``llama``; sizes of the Janus presets: deepseek-ai/Janus configs, DeepSeek-LLM."""
    yield LanguageModelSpec(
        name="llama",
        summary="Llama decoder: RMSNorm, rotary positions, SwiGLU, grouped-query attention through SDPA",
        factory="janus_llama.model:build",
        options="janus_llama.options:LlamaOptions",
        presets={
            "tiny": {"hidden_size": 32, "intermediate_size": 96, "layers": 2, "heads": 2, "weights": "none"},
            # 0.08 is near 1 / sqrt(128): from Llama's 0.02 so narrow a model takes many times as long to learn to look
            # a word up in its prompt.
            "quickstart": {
                "hidden_size": 128,
                "intermediate_size": 352,
                "layers": 4,
                "heads": 4,
                "initializer_range": 0.08,
                "weights": "none",
            },
            "janus_1_3b": {"hidden_size": 2048, "intermediate_size": 5632, "layers": 24, "heads": 16},
            "janus_pro_7b": {"hidden_size": 4096, "intermediate_size": 11008, "layers": 30, "heads": 32},
        },
        capabilities={"x_grouped_query_attention": True},
        requires=("torch>=2.5", "safetensors>=0.4"),
        licence="Apache-2.0 (code); no weights are shipped",
        paper="arXiv:2302.13971",
        layouts={"huggingface_llama": Layout()},
    )
