"""The Llama section, which both published configurations have, and both leave incomplete."""

from __future__ import annotations

from typing import Any

from janus_core.checkpoints.janus.architecture import LanguageSizes
from janus_core.checkpoints.janus.fields import Fields

DEFAULTS = LanguageSizes()


def read_language(section: Fields) -> LanguageSizes:
    """The sizes; what the section leaves out is LlamaConfig's default, as the published loaders complete it."""
    heads = section.number("num_attention_heads", DEFAULTS.heads)
    rope = section.inner("rope_parameters") if section.values.get("rope_parameters") else section.inner("rope_scaling")
    rope.only("rope_type", "default")
    rope.only("type", "default")
    section.only("model_type", "llama")
    section.only("hidden_act", "silu")
    section.only("attention_bias", False)
    section.only("mlp_bias", False)
    hidden = section.number("hidden_size", DEFAULTS.hidden)
    section.only("head_dim", hidden // heads)
    theta = section.real("rope_theta", DEFAULTS.theta)
    return LanguageSizes(
        hidden=hidden,
        inner=section.number("intermediate_size", DEFAULTS.inner),
        layers=section.number("num_hidden_layers", DEFAULTS.layers),
        heads=heads,
        kv_heads=section.number("num_key_value_heads", heads),
        eps=section.real("rms_norm_eps", DEFAULTS.eps),
        theta=rope.real("rope_theta", theta),
        max_positions=section.number("max_position_embeddings", DEFAULTS.max_positions),
        vocabulary=section.number("vocab_size", DEFAULTS.vocabulary),
    )


def write_language(sizes: LanguageSizes, dtype: str) -> dict[str, Any]:
    """The section, every value written out."""
    return {
        "model_type": "llama",
        "hidden_size": sizes.hidden,
        "intermediate_size": sizes.inner,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "num_key_value_heads": sizes.kv_heads,
        "hidden_act": "silu",
        "rms_norm_eps": sizes.eps,
        "rope_theta": sizes.theta,
        "max_position_embeddings": sizes.max_positions,
        "vocab_size": sizes.vocabulary,
        "tie_word_embeddings": False,
        "torch_dtype": dtype,
    }
