"""The names that ``peft`` gives to low-rank updates, and to the layers that it wraps."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

BASE = ".base_layer."


def is_update(key: str) -> bool:
    """Whether a key of a state dict belongs to an update."""
    return ".lora_" in key or key.startswith("lora_")


def split_state(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A state dict as (the model's own names and tensors, the updates)."""
    own = {key.replace(BASE, "."): tensor for key, tensor in state.items() if not is_update(key)}
    return own, {key: tensor for key, tensor in state.items() if is_update(key)}
