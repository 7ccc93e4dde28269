"""Declares the adapters ``mlp``, ``linear``, ``identity`` and ``resampler``."""

from __future__ import annotations

from collections.abc import Iterable

from janus_core.hookspecs import AdapterSpec, Layout, Rename, hookimpl

JANUS_HOOK_API: tuple[int, int] = (1, 0)
DEEPEST_MLP = 8

MLP_HUGGINGFACE = Layout(
    rules=(
        Rename("layers.0", "fc1"),
        *(Rename(f"layers.{2 * k}", f"hidden_layers.{k - 1}") for k in range(1, DEEPEST_MLP)),
    )
)


@hookimpl
def janus_adapters() -> Iterable[AdapterSpec]:
    """Yield the records of the adapters."""
    yield AdapterSpec(
        name="mlp",
        summary="Linear and exact GELU layers, token by token: the adapter of Janus",
        factory="janus_adapters.pointwise:build_mlp",
        options="janus_adapters.options:MlpOptions",
        presets={"tiny": {}, "paper": {"depth": 2}},
        capabilities={"keeps_num_tokens": True},
        licence="Apache-2.0",
        paper="arXiv:2410.13848",
        layouts={"deepseek": Layout(), "huggingface": MLP_HUGGINGFACE},
    )
    yield AdapterSpec(
        name="linear",
        summary="one linear layer, token by token",
        factory="janus_adapters.pointwise:build_linear",
        options="janus_adapters.options:LinearOptions",
        presets={"tiny": {}},
        capabilities={"keeps_num_tokens": True},
        licence="Apache-2.0",
        layouts={"deepseek": Layout(), "huggingface": Layout(rules=(Rename("layers", "fc1"),))},
    )
    yield AdapterSpec(
        name="identity",
        summary="passes features on unchanged; the widths must be equal",
        factory="janus_adapters.pointwise:build_identity",
        options="janus_adapters.options:IdentityOptions",
        presets={"tiny": {}},
        capabilities={"keeps_num_tokens": True, "equal_widths": True},
        licence="Apache-2.0",
    )
    yield AdapterSpec(
        name="resampler",
        summary="learned queries attend to the features: any number of tokens becomes a fixed one",
        factory="janus_adapters.resampler:build_resampler",
        options="janus_adapters.options:ResamplerOptions",
        presets={"tiny": {"queries": 4, "depth": 1, "heads": 2}, "flamingo": {"queries": 64, "depth": 6, "heads": 8}},
        capabilities={"keeps_num_tokens": False},
        licence="Apache-2.0",
        paper="arXiv:2204.14198",
    )
