"""The prefixes of a Janus checkpoint's keys in both published formats, composed with the components' own layouts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from janus_core.checkpoints.janus.architecture import EXPECTED, choice_of
from janus_core.checkpoints.layouts import compose
from janus_core.config.choose import choose
from janus_core.config.recipe import ModelConfig
from janus_core.errors import UserError
from janus_core.hookspecs import Layout

Format = Literal["deepseek", "huggingface"]
FORMATS: tuple[Format, ...] = ("deepseek", "huggingface")

DECLARED: Mapping[Format, tuple[str, ...]] = {
    "deepseek": ("deepseek", "huggingface_llama"),
    "huggingface": ("huggingface_janus", "huggingface", "huggingface_llama"),
}
"""The names under which a component may declare its layout in a format, the most particular first."""

PREFIXES: Mapping[Format, Mapping[str, Mapping[str, str]]] = {
    "deepseek": {
        "encoders.image": {"": "vision_model.vision_tower"},
        "adapters.image": {"": "aligner"},
        "language_model": {"": "language_model"},
        "generation_tokenizer": {"": "gen_vision_model"},
        "generation_adapter": {"": "gen_aligner"},
        "generation_head": {"": "gen_head"},
        "code_table": {"tables.0": "gen_embed"},
    },
    "huggingface": {
        "encoders.image": {"": "model.vision_model"},
        "adapters.image": {"": "model.aligner"},
        "language_model": {"model": "model.language_model", "lm_head": "lm_head"},
        "generation_tokenizer": {"": "model.vqmodel"},
        "generation_adapter": {"": "model.generation_aligner"},
        "generation_head": {"": "model.generation_head"},
        "code_table": {"tables.0": "model.generation_embeddings"},
    },
}
"""Format -> part of ours -> prefix of the component's foreign names -> prefix in the file."""

MARKS: Mapping[Format, tuple[str, ...]] = {
    "deepseek": ("vision_model.vision_tower.", "gen_vision_model.", "language_model.model."),
    "huggingface": ("model.vision_model.", "model.vqmodel.", "model.language_model."),
}
"""Prefixes that tell the formats apart."""


def detect_format(names: Iterable[str]) -> Format:
    """The format of a file by its keys.

    Raises:
        UserError: the keys are of neither.
    """
    keys = list(names)
    counts: dict[Format, int] = {name: sum(key.startswith(MARKS[name]) for key in keys) for name in FORMATS}
    found = max(FORMATS, key=lambda name: counts[name])
    if not counts[found]:
        shown = ", ".join(keys[:3]) or "none"
        raise UserError(
            f"the tensors are of no Janus: their names begin with none of "
            f"{', '.join(mark for marks in MARKS.values() for mark in marks)} (first names: {shown})",
            "give the folder of Janus-1.3B, Janus-Pro-1B or Janus-Pro-7B, as published",
        )
    return found


def model_layout(model: ModelConfig, form: Format) -> Layout:
    """The layout of a whole model in a format.

    Raises:
        UserError: a component declares no layout in the format.
    """
    parts = []
    for part, table in PREFIXES[form].items():
        layout = Layout() if part == "code_table" else _declared(model, part, form)
        parts.append((part, layout, table))
    return compose(parts)


def _declared(model: ModelConfig, part: str, form: Format) -> Layout:
    choice = choice_of(model, part)
    assert choice is not None
    spec = choose(EXPECTED[part][0], choice, f"model.{part}").component.spec
    layouts: Mapping[str, Layout] = spec.layouts
    for name in DECLARED[form]:
        if name in layouts:
            return layouts[name]
    raise UserError(f"model.{part}: the component {spec.name} declares no layout {' or '.join(DECLARED[form])}")
