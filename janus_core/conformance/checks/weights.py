"""Where weights lie, how they begin, and that all of them are saved."""

from __future__ import annotations

import collections
import dataclasses
import functools
import io
import types
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from janus_core.conformance.check import KINDS, Exempt, Fault, check
from janus_core.conformance.subject import Subject
from janus_core.conformance.tree import distance


@check(
    "stray_tensors",
    "must",
    KINDS,
    "every tensor is a parameter or a buffer, every module is registered",
    prevents="weights that are not saved, not moved to the device and not hashed when frozen",
)
def stray_tensors(subject: Subject) -> None:
    subject.need("build")
    module = subject.fresh()
    subject_run_quietly(subject, module)
    registered = {id(part) for part in module.modules()}
    for name, part in module.named_modules():
        for attribute, value in _attributes(part):
            where = f"{name}.{attribute}" if name else attribute
            for held in inside(value):
                if isinstance(held, Tensor) and not _own(held, module):
                    raise Fault(
                        f"{where} holds a tensor {list(held.shape)} that is neither a parameter nor a buffer",
                        f"self.register_buffer({attribute!r}, tensor), or nn.Parameter",
                    )
                if isinstance(held, nn.Module) and id(held) not in registered:
                    raise Fault(
                        f"{where} holds a {type(held).__name__} that is not registered",
                        "put modules in nn.ModuleList or nn.ModuleDict",
                    )


def _attributes(part: nn.Module) -> Iterator[tuple[str, Any]]:
    """Of the module and of its classes."""
    for attribute, value in vars(part).items():
        if attribute not in ("_parameters", "_buffers", "_modules"):
            yield attribute, value
    for owner in type(part).__mro__:
        if not owner.__module__.startswith("torch."):
            yield from (
                (f"{owner.__name__}.{n}", value) for n, value in vars(owner).items() if isinstance(value, Tensor)
            )


def _own(tensor: Tensor, module: nn.Module) -> bool:
    return any(tensor is other for other in (*module.parameters(), *module.buffers()))


def inside(value: Any, depth: int = 3) -> Iterator[Any]:
    """Tensors and modules in a value, also in lists, dicts and objects of the component's own."""
    if isinstance(value, Tensor | nn.Module):
        yield value
    elif depth and isinstance(value, Mapping):
        for item in value.values():
            yield from inside(item, depth - 1)
    elif depth and isinstance(value, list | tuple | set | collections.deque):
        for item in value:
            yield from inside(item, depth - 1)
    elif depth and isinstance(value, functools.partial):
        yield from inside((*value.args, value.keywords), depth - 1)
    elif depth and (dataclasses.is_dataclass(value) or isinstance(value, types.SimpleNamespace | types.FunctionType)):
        yield from inside(_held(value), depth - 1)


def _held(value: Any) -> Any:
    """What a small object or the closure of a function holds."""
    if isinstance(value, types.FunctionType):
        return [cell.cell_contents for cell in value.__closure__ or ()]
    return {name: getattr(value, name, None) for name in dir(value) if not name.startswith("__")}


def subject_run_quietly(subject: Subject, module: nn.Module) -> None:
    """One forward, so that what it stores is there; its errors are another check's."""
    try:
        subject.run(module)
    except Exception:  # noqa: BLE001
        return


@check(
    "float32",
    "must",
    KINDS,
    "weights and outputs are float32 unless another dtype is asked for",
    prevents="a part that computes in double precision at a 30th of the speed, or in half unasked",
)
def float32(subject: Subject) -> None:
    subject.need("build")
    for name, tensor in subject.build().state_dict().items():
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            raise Fault(f"{name} is {str(tensor.dtype)[6:]}", "build weights in torch's default dtype")
    subject.need("forward")
    for name, tensor in subject.outputs.items[0].items():
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            raise Fault(f"{name} is {str(tensor.dtype)[6:]}", "give outputs in the dtype of the weights")


@check(
    "seeding",
    "must",
    KINDS,
    "the same seed gives the same weights, another seed others",
    prevents="runs that cannot be repeated, and seeds that repeat the same run",
)
def seeding(subject: Subject) -> None:
    subject.need("build")
    first, again, other = (subject.build(seed).state_dict() for seed in (0, 0, 1))
    changed = [name for name, tensor in first.items() if not torch.equal(tensor, again[name])]
    if changed:
        raise Fault(
            f"built twice under one seed, {changed[0]} differs ({len(changed)} tensors in all)",
            "draw initial weights from torch's global generator, which the caller has seeded",
        )
    if not any(tensor.is_floating_point() and tensor.numel() for tensor in first.values()):
        raise Exempt("it has no weights")
    if all(torch.equal(tensor, other[name]) for name, tensor in first.items()):
        raise Fault(
            "built under another seed, all weights are the same: the constructor seeds the generator, or draws nothing",
            "remove torch.manual_seed; draw initial weights from torch's global generator",
        )


@check(
    "state_dict",
    "must",
    KINDS,
    "a twin that loads its state dict gives the same, with every tensor changed before",
    prevents="weights that are lost when a checkpoint is written or read",
)
def state_dict(subject: Subject) -> None:
    subject.need("forward")
    module = subject.fresh()
    scramble(module)
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True, map_location=subject.device)
    twin = subject.fresh(seed=1)
    twin.load_state_dict(state, strict=True)
    _strict(twin, state)
    twin.eval()
    after = twin.state_dict()
    lost = [name for name, tensor in module.state_dict().items() if not torch.equal(tensor, after[name])]
    if lost:
        raise Fault(f"{lost[0]} is another after saving and loading", "do not change tensors in load_state_dict hooks")
    gap = distance(
        [list(i.values()) for i in subject.run(module).items], [list(i.values()) for i in subject.run(twin).items]
    )
    if gap > 1e-5:
        raise Fault(
            f"a twin with the same state dict gives other values (difference {gap:.2g} of the largest): "
            "something that it computes with is not in the state dict",
            "register it as a parameter or a persistent buffer",
        )


def _strict(module: nn.Module, state: dict[str, Tensor]) -> None:
    """Files that do not fit are refused."""
    if not state:
        return
    name = next(iter(state))
    for what, wrong in (
        ("lacks", {n: t for n, t in state.items() if n != name}),
        ("adds to", state | {"no.such": state[name]}),
    ):
        try:
            module.load_state_dict(wrong, strict=True)
        except Exception:  # noqa: BLE001  (any refusal will do)
            continue
        raise Fault(
            f"a state dict that {what} the keys ({name if what == 'lacks' else 'no.such'}) is loaded without an error",
            "do not override load_state_dict, and pass `strict` on",
        )


def scramble(module: nn.Module) -> None:
    """Change every tensor of the state dict in place; what is positive stays so (variances)."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                noise = torch.rand(tensor.shape, generator=generator).to(tensor)
                tensor.mul_(1 + 0.2 * noise)
