"""Names of a model's parts, and the patterns by which recipes train and freeze them. Imports no torch."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Sequence

from janus_core.config.recipe import ModelConfig
from janus_core.errors import UserError

ALWAYS_FROZEN = "generation_tokenizer"


def part_names(model: ModelConfig) -> list[str]:
    """The parts that a model of this configuration has, named as `JanusModel.parts` names them."""
    names = [f"encoders.{route}" for route in model.encoders] + [f"adapters.{route}" for route in model.adapters]
    names.append("language_model")
    if model.generation_tokenizer is not None:
        names.append(ALWAYS_FROZEN)
        if model.generation_adapter is not None and model.generation_head is not None:
            names += ["code_table", "generation_adapter", "generation_head"]
    return names


def match_parts(patterns: Sequence[str], names: Sequence[str]) -> frozenset[str]:
    """The part names that the patterns match.

    Raises:
        UserError: a pattern matches nothing, or asks to train the generation tokenizer.
    """
    matched: set[str] = set()
    for pattern in patterns:
        found = fnmatch.filter(names, pattern)
        if not found:
            near = difflib.get_close_matches(pattern, names, n=2, cutoff=0.4)
            hint = f"did you mean {' or '.join(near)}? " if near else ""
            raise UserError(f"train: {pattern!r} matches no part of the model", f"{hint}parts: {', '.join(names)}")
        if ALWAYS_FROZEN in found and pattern == ALWAYS_FROZEN:
            raise UserError(
                "train: the generation tokenizer cannot train in a stage: no loss of the model has a gradient for it",
                "train it alone first: janus pretrain",
            )
        matched |= set(found) - {ALWAYS_FROZEN}
    return frozenset(matched)
