"""Dtypes, devices, sharding, and the tools that see through a forward."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from janus_core.conformance.check import ADAPTER, ENCODER, KINDS, LANGUAGE_MODEL, Exempt, Fault, NotRun, check
from janus_core.conformance.state import pristine
from janus_core.conformance.subject import Subject
from janus_core.conformance.tree import copied, distance, moved, tensors
from janus_core.training.sharding import CALLED

CLOSE = 1e-4


def _values(out: Any) -> list[Any]:
    return [list(item.values()) for item in out.items]


@check("bfloat16", "must", KINDS, "cast to bfloat16 it works, and gives bfloat16",
       prevents="an error, or silent float32, in the dtype of large runs", unless="bfloat16")  # fmt: skip
def bfloat16(subject: Subject) -> str:
    subject.need("forward")
    module = subject.fresh().to(torch.bfloat16)
    kept = [name for name, p in module.named_parameters() if p.dtype != torch.bfloat16]
    if kept:
        raise Fault(f"{kept[0]} stays {str(module.get_parameter(kept[0]).dtype)[6:]} after .to(torch.bfloat16)",
                    "do not override _apply or to()")  # fmt: skip
    try:
        found = subject.run(module, moved(subject.batch(), dtype=torch.bfloat16))
    except RuntimeError as error:
        raise Fault(
            f"in bfloat16 it raises {str(error).splitlines()[0]}",
            "make new tensors in the dtype of the weights (x.new_zeros, .to(x.dtype)); no .float() on one side only",
        ) from None
    worst = 0.0
    for item, other in zip(found.items, subject.outputs.items, strict=True):
        for name, tensor in item.items():
            if not tensor.is_floating_point() or name == "loss":  # losses are float32 on purpose
                continue
            if tensor.dtype != torch.bfloat16:
                raise Fault(f"{name} is {str(tensor.dtype)[6:]} though the weights are bfloat16",
                            "give outputs in the dtype of the weights")  # fmt: skip
            worst = max(worst, distance(other[name], tensor.float()))
    if worst > 0.5:
        raise Fault(f"in bfloat16 values differ by {worst:.2g} of the largest", "compute norms and softmax in float32")
    return f"difference {worst:.2g}"


@check("meta", "must", KINDS, "can be built on the meta device, and filled after",
       prevents="a large model that does not fit in memory while it is built", unless="meta")  # fmt: skip
def meta(subject: Subject) -> None:
    subject.need("forward")
    try:
        module = subject.build(device="meta")
    except Exception as error:  # noqa: BLE001
        raise Fault(
            f"building on the meta device raises {type(error).__name__}: {(str(error).splitlines() or [''])[0]}",
            "read no values of tensors in the constructor (no .item(), no float(tensor))",
        ) from None
    real = [name for name, tensor in module.state_dict().items() if not tensor.is_meta]
    if real:
        raise Fault(
            f"{real[0]} is on {module.state_dict()[real[0]].device} though torch.device('meta') holds",
            "name no device in the constructor: torch's default device is set by the caller",
        )
    model = subject.fresh().cpu()
    module.to_empty(device="cpu")
    module.load_state_dict(model.state_dict(), strict=True)
    expected = subject.run(model, subject_batch_cpu(subject))
    try:
        found = subject.run(module.eval(), subject_batch_cpu(subject))
    except (RuntimeError, NotImplementedError) as error:
        raise Fault(
            f"filled after it was built on the meta device, it still has a tensor there: {str(error).splitlines()[0]}",
            "register every tensor as a parameter or a buffer, and keep no reference to one elsewhere",
        ) from None
    gap = distance(_values(expected), _values(found))
    if not gap <= CLOSE:
        raise Fault(
            f"built on the meta device and loaded, it gives other values ({gap:.2g})",
            "make non-persistent buffers anew after a load (register_load_state_dict_post_hook), or in forward",
        )


def subject_batch_cpu(subject: Subject) -> Any:
    """The shared batch on the CPU."""
    return moved(copied(subject.batch()), device="cpu")


@check("copies", "must", KINDS, "the module can be pickled and deep-copied, and a copy shares nothing",
       prevents="an average of weights, or a worker, that changes the model itself")  # fmt: skip
def copies(subject: Subject) -> None:
    subject.need("forward")
    module = subject.fresh()
    plain = _values(subject.run(module))
    ways: dict[str, Callable[[], nn.Module]] = {
        "pickled": lambda: pickle.loads(pickle.dumps(module)),
        "deep-copied": lambda: copy.deepcopy(module),
    }
    for name, way in ways.items():
        try:
            twin = way()
        except Exception as error:  # noqa: BLE001
            raise Fault(
                f"it cannot be {name}: {type(error).__name__}: {error}", "hold no lambdas, locks or open files"
            ) from None
        shared = {p.data_ptr() for p in tensors(dict(module.state_dict())) if p.numel()} & {
            p.data_ptr() for p in tensors(dict(twin.state_dict())) if p.numel()
        }
        if shared:
            raise Fault(f"{name}, it shares tensors with the original", "do not override __deepcopy__ or __reduce__")
        if distance(plain, _values(subject.run(twin))) > CLOSE:
            raise Fault(f"{name}, it gives other values", "hold all that it computes with in the module")


@check("fsdp_unit", "must", KINDS, "weights are read only within forward and the methods that the model calls",
       prevents="sharded weights that are read while they are not gathered")  # fmt: skip
def fsdp_unit(subject: Subject) -> None:
    subject.need("forward")
    module = subject.fresh()
    keys = set(module.state_dict())
    registered = {name for name, _ in (*module.named_parameters(remove_duplicate=False),
                                       *module.named_buffers(remove_duplicate=False))}  # fmt: skip
    if not keys <= registered:
        raise Fault(
            f"the state dict has {sorted(keys - registered)[0]}, which is the name of no parameter or buffer",
            "do not rename keys in state_dict hooks: foreign names belong in the record's `layouts`",
        )
    if not any(True for _ in module.parameters()):
        raise Exempt("it has no parameters")
    plain = _values(subject.run(module))
    with gathered_only_inside(module):
        found = _values(subject.run(module))
    if not distance(plain, found) <= CLOSE:
        raise Fault(
            "with weights that are there only within forward, embed, encode, decode, loss, sample and text_logits "
            "(as FSDP gathers them) it gives other values: it keeps a reference to a weight, or reads one elsewhere",
            "read self.<module>.weight when it is used; keep no reference to a parameter in a closure, list or partial",
        )


@contextlib.contextmanager
def gathered_only_inside(module: nn.Module) -> Iterator[None]:
    """As FSDP: outside the registered methods every parameter is another object, of NaN; the old ones are emptied."""
    places = [(part, name, p) for part in module.modules() for name, p in part._parameters.items() if p is not None]
    whole: dict[int, nn.Parameter] = {}
    absent: dict[int, nn.Parameter] = {}
    for _, _, p in places:
        if id(p) not in whole:
            whole[id(p)] = nn.Parameter(p.detach().clone(), p.requires_grad)
            absent[id(p)] = nn.Parameter(torch.full_like(p, float("nan")), p.requires_grad)
    for _, _, p in places:
        p.data = absent[id(p)].data  # who kept a reference reads NaN
    depth = 0

    def put(which: dict[int, nn.Parameter]) -> None:
        for part, name, p in places:
            part._parameters[name] = which[id(p)]

    def within(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            nonlocal depth
            depth += 1
            if depth == 1:
                put(whole)
            try:
                return method(*arguments, **more)
            finally:
                depth -= 1
                if depth == 0:
                    put(absent)

        return call

    put(absent)
    for name in ("forward", *CALLED):
        method = getattr(module, name, None)
        if callable(method):
            object.__setattr__(module, name, within(method))
    try:
        yield
    finally:
        put(whole)
        for name in ("forward", *CALLED):
            module.__dict__.pop(name, None)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the graphs that torch.export prints and logs when it fails: the check says what is wrong."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)


class _Tokens(nn.Module):
    """What is exported: a batch in, a tuple of tensors out."""

    def __init__(self, module: nn.Module, kind: str) -> None:
        super().__init__()
        self.module, self.kind = module, kind

    def forward(self, batch: Any) -> Any:
        found = self.module(batch)
        return found if isinstance(found, torch.Tensor) else found.tokens


def _traced(subject: Subject) -> tuple[nn.Module, Any]:
    subject.need("forward")
    batch = subject.batch()
    if subject.kind == ADAPTER:
        from janus_core.interfaces import Features

        module = subject.fresh()

        class Wrapped(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.module = module

            def forward(self, tokens: torch.Tensor) -> Any:
                return self.module(Features(tokens)).tokens

        return Wrapped().eval(), batch.tokens
    if not isinstance(batch, torch.Tensor):
        raise Exempt("its batch is no tensor")
    return _Tokens(subject.fresh(), subject.kind).eval(), batch


@check("export", "should", (ENCODER, ADAPTER), "torch.export sees through it, with a batch of any size",
       prevents="shapes or decisions that are fixed to one batch", unless="export")  # fmt: skip
def export(subject: Subject) -> None:
    module, batch = _traced(subject)
    try:
        with _quiet():
            program = torch.export.export(module, (batch,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
    except Exception as error:  # noqa: BLE001  (many kinds)
        text = str(error).strip().splitlines() or [""]
        raise Fault(
            f"torch.export raises {type(error).__name__}: {text[0][:200]}",
            "decide nothing by values of tensors or by the batch size; or declare the capability export: False",
        ) from None
    with torch.no_grad():
        gap = distance(program.module()(batch[:2]), module(batch[:2]))
    if gap > CLOSE:
        raise Fault(f"exported, it gives other values ({gap:.2g})", "decide nothing by values of tensors")


@check("compile", "should", (ENCODER, ADAPTER, LANGUAGE_MODEL), "torch.compile takes it whole",
       prevents="graph breaks that eat the gain of compiling", unless="compile", slow=True)  # fmt: skip
def compiles(subject: Subject) -> None:
    if subject.kind == LANGUAGE_MODEL:
        raise NotRun("language models are compiled block by block; not yet checked")
    module, batch = _traced(subject)
    torch._dynamo.reset()
    try:
        with torch.no_grad(), _quiet():
            found = torch.compile(module, fullgraph=True, backend="eager")(batch)
    except Exception as error:  # noqa: BLE001
        raise Fault(
            f"torch.compile(fullgraph=True) raises {type(error).__name__}: {str(error).strip().splitlines()[0][:200]}",
            "remove what breaks the graph (.item(), print, data-dependent branches), or declare compile: False",
        ) from None
    with pristine(), torch.no_grad():
        if distance(found, module(batch)) > CLOSE:
            raise Fault("compiled, it gives other values", "decide nothing by values of tensors")
