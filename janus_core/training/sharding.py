"""FSDP2: which modules are units of sharding, and gradients that are sharded."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor

from janus_core.interfaces import LanguageModel
from janus_core.model.janus import JanusModel

CALLED = ("embed", "text_logits", "encode", "decode", "loss", "sample")
"""Methods besides ``forward`` through which the model calls its parts: they too need the gathered weights."""


def shard(model: JanusModel, mesh: DeviceMesh, frozen: set[str]) -> None:
    """Shard the model over the processes: every block of the language model is a unit, and every part.

    A frozen part is a unit of its own, without gradients: within one unit with trained weights it would be given
    memory for gradients, or refused (pytorch#75943, #91167).
    """
    for block in cast(LanguageModel, model.language_model).blocks():
        fully_shard(block, mesh=mesh)
    for name, part in model.parts().items():
        if isinstance(part, FSDPModule) or not any(True for _ in part.parameters()):
            continue  # a module in two roles
        fully_shard(part, mesh=mesh, reshard_after_forward=name in frozen)
        for method in CALLED:
            if hasattr(part, method):
                register_fsdp_forward_method(part, method)
    fully_shard(model, mesh=mesh)


def is_sharded(model: nn.Module) -> bool:
    """Whether `shard` was applied."""
    return isinstance(model, FSDPModule)


def whole_state(model: nn.Module) -> dict[str, Tensor]:
    """The gathered state dict on the CPU; full on the first process, empty on the others."""
    return cast(
        dict[str, Tensor],
        get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True)),
    )


def clip_gradients(model: nn.Module, largest: float) -> float:
    """Scale the gradient down to this norm; gives the norm before, of all parts and processes."""
    norm: Any = nn.utils.clip_grad_norm_([p for p in model.parameters() if p.grad is not None], largest)
    return float(whole(norm))


def whole(tensor: Tensor) -> Tensor:
    """The tensor, gathered if it is sharded."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
