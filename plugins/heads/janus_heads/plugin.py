"""Declares the generation head ``categorical``."""

from __future__ import annotations

from collections.abc import Iterable

from janus_core.hookspecs import GenerationHeadSpec, Layout, Rename, hookimpl

JANUS_HOOK_API: tuple[int, int] = (1, 0)


@hookimpl
def janus_generation_heads() -> Iterable[GenerationHeadSpec]:
    """Yield the record of ``categorical``."""
    yield GenerationHeadSpec(
        name="categorical",
        summary="a two-layer classifier over the codebook: the image head of Janus",
        factory="janus_heads.categorical:build",
        options="janus_heads.options:CategoricalOptions",
        presets={"tiny": {}, "paper": {"inner_width": None}},
        capabilities={"kind": "discrete", "codebooks": "any"},
        licence="Apache-2.0",
        paper="arXiv:2410.13848",
        layouts={
            "deepseek": Layout(),
            "huggingface": Layout(rules=(Rename("output_mlp_projector", "proj_out"),)),
        },
    )
