"""Low-rank updates of linear layers (LoRA, arXiv:2106.09685) by ``peft``: injected, kept apart, merged on request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from janus_core.config.parts import match_parts
from janus_core.config.recipe import LoraConfig
from janus_core.errors import UserError
from janus_core.model.janus import JanusModel
from janus_core.model.lora_names import split_state


def inject(model: JanusModel, config: LoraConfig) -> None:
    """Put updates into the linear layers of the parts that ``config`` names; they begin as nothing.

    Raises:
        UserError: peft is not installed, a pattern matches no part, or a part has no such layer.
    """
    try:
        from peft import LoraConfig as Settings
        from peft import inject_adapter_in_model
    except ImportError as error:
        raise UserError("lora needs the library peft, which is not installed", "pip install peft") from error
    parts = model.parts()
    chosen = match_parts(config.parts, list(parts))
    for name in sorted(chosen):
        layers = _layers(parts[name], config.targets)
        if not layers:
            every = sorted({key.rpartition(".")[2] for key in _layers(parts[name], [])})
            raise UserError(
                f"lora: the part {name} has no linear layers named {', '.join(config.targets) or '(any)'}",
                f"its linear layers: {', '.join(every) or 'none'}",
            )
        settings = Settings(r=config.rank, lora_alpha=config.alpha, lora_dropout=config.dropout, target_modules=layers)
        inject_adapter_in_model(settings, parts[name])
    model.updated = chosen


@torch.no_grad()
def load_updates(model: JanusModel, state: Mapping[str, Tensor]) -> None:
    """Put saved updates into an injected model.

    Raises:
        UserError: they are not this model's.
    """
    _, own = split_state(model.state_dict(keep_vars=True))
    if own.keys() != state.keys():
        odd = sorted(own.keys() ^ state.keys())
        raise UserError(f"the LoRA weights are of another recipe: {len(odd)} keys differ, the first: {odd[0]}")
    for key, tensor in own.items():
        tensor.copy_(state[key])


def merge(model: JanusModel) -> None:
    """Add the updates to the layers that they update and take them out; the model computes as before."""
    for name in model.updated:
        part = model.parts()[name]
        for key, module in list(part.named_modules()):
            if hasattr(module, "base_layer") and hasattr(module, "merge"):
                wrapped: Any = module
                wrapped.merge()
                parent, _, last = key.rpartition(".")
                setattr(part.get_submodule(parent), last, wrapped.get_base_layer())
    model.updated = frozenset()


def _layers(part: nn.Module, targets: list[str]) -> list[str]:
    """Names of the linear layers; of a language model those of its blocks, as its head is not called as a module."""
    inside: tuple[nn.Module, ...] = (part,)
    blocks = getattr(part, "blocks", None)
    if callable(blocks) and not isinstance(blocks, nn.Module):
        inside = tuple(blocks())
    within = {id(module) for root in inside for module in root.modules()}
    return [
        key
        for key, module in part.named_modules()
        if isinstance(module, nn.Linear) and id(module) in within
        if not targets or key.rpartition(".")[2] in targets
    ]
