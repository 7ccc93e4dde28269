"""Gradients, and freezing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import Tensor

from janus_core.conformance.check import ADAPTER, ENCODER, HEAD, KINDS, LANGUAGE_MODEL, Exempt, Fault, check
from janus_core.conformance.subject import Subject
from janus_core.conformance.tree import copied, mapped

TRAINED = (ENCODER, ADAPTER, HEAD, LANGUAGE_MODEL)
"""Kinds that are trained through their forward; tokenizers are trained by their own ``pretraining``."""


@check(
    "gradient_to_inputs",
    "must",
    TRAINED,
    "a gradient reaches every floating input, every item of it",
    prevents="a part before this one that never learns, or that learns from a part of its outputs",
    unless="gradient_to_input",
)
def gradient_to_inputs(subject: Subject) -> None:
    subject.need("forward")
    leaves: list[Tensor] = []

    def leaf(tensor: Tensor) -> Tensor:
        if not tensor.is_floating_point():
            return tensor
        leaves.append(tensor.detach().clone().requires_grad_())
        return leaves[-1]

    batch = mapped(subject.batch(), leaf)
    if not leaves:
        raise Exempt("it has no floating input")
    module = subject.fresh()
    loss = subject.drive.loss(module, batch)
    if not loss.requires_grad:
        raise Fault("the output has no gradient", "remove torch.no_grad, torch.inference_mode and detach from forward")
    loss.backward()  # type: ignore[no-untyped-call]
    for tensor in leaves:
        if tensor.grad is None or not bool((tensor.grad.flatten(1) != 0).any(dim=1).all()):
            raise Fault(
                f"no gradient reaches an input {list(tensor.shape)}",
                "remove detach, or declare the capability gradient_to_input: False if none can",
            )
        if subject.kind in (ADAPTER, HEAD) and not bool((tensor.grad.flatten(0, -2) != 0).any(dim=0).all()):
            raise Fault(f"no gradient reaches some channels of an input {list(tensor.shape)}", "use every channel")


@check(
    "gradient_to_parameters",
    "must",
    TRAINED,
    "a gradient reaches every parameter but those declared unused",
    prevents="weights that are counted, saved and stepped, and never learn",
)
def gradient_to_parameters(subject: Subject) -> str:
    subject.need("forward")
    module = subject.fresh()
    named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    if not named and any(True for _ in module.parameters()):
        raise Fault("no parameter asks for a gradient: it is built frozen", "leave freezing to the recipe's stages")
    sizes = subject.drive.sizes
    if not named and subject.kind == ADAPTER and sizes["in_width"] != sizes["out_width"]:
        raise Fault(
            f"it maps width {sizes['in_width']} to {sizes['out_width']} without a parameter: it pads or cuts",
            "map with a layer, or declare the capability equal_widths: True",
        )
    if not named:
        raise Exempt("it has no parameters")
    if subject.kind == LANGUAGE_MODEL and not cast(Any, module).embed(subject.batch()["ids"]).requires_grad:
        raise Fault("no gradient reaches the embedding through embed", "remove detach and torch.no_grad from embed")
    loss = subject.drive.loss(module, copied(subject.batch()))
    unused = tuple(_words(subject.capability("unused_parameters", ())))
    dead = [name for name, _ in named]
    if loss.requires_grad:
        loss.backward()  # type: ignore[no-untyped-call]
        dead = [name for name, p in named if p.grad is None or not bool((p.grad != 0).any())]
    missed = [name for name in dead if not any(name == word or name.startswith(word + ".") for word in unused)]
    if missed:
        raise Fault(
            f"no gradient reaches {', '.join(missed[:3])} ({len(missed)} of {len(named)} parameters)",
            "remove detach and what is not used, or declare the capability unused_parameters: (prefixes)",
        )
    return f"{len(named) - len(dead)} parameters" + (f", {len(dead)} declared unused" if dead else "")


def _words(value: object) -> Iterable[str]:
    return (value,) if isinstance(value, str) else value if isinstance(value, Iterable) else ()


@check(
    "frozen",
    "must",
    KINDS,
    "frozen it gives no gradient, and neither train() nor a step of training changes it",
    prevents="a frozen part that moves: 'frozen' results that cannot be compared",
)
def frozen(subject: Subject) -> None:
    subject.need("forward")
    module = subject.fresh()
    module.requires_grad_(False).eval()
    before = copied(dict(module.state_dict()))
    first = subject.run(module)
    if subject.drive.loss(module, copied(subject.batch())).requires_grad:
        raise Fault(
            "with every parameter frozen the output still asks for a gradient",
            "create no parameter and no requires_grad tensor in forward",
        )
    whole = torch.nn.ModuleDict({"part": module})
    whole.train()
    awake = [name for name, p in module.named_parameters() if p.requires_grad]
    if awake:
        raise Fault(f"train() unfreezes {', '.join(awake[:3])}", "leave requires_grad alone in train()")
    module.eval()  # as the framework holds a frozen part after each train() of the whole
    again = subject.run(module)
    from janus_core.conformance.tree import equal

    if not equal([list(i.values()) for i in first.items], [list(i.values()) for i in again.items]):
        raise Fault(
            "after train() of the model around it and eval() of the frozen part it gives other values",
            "keep no state of your own in train() and eval()",
        )
    changed = [name for name, tensor in module.state_dict().items() if not equal(tensor, before.get(name))]
    if changed:
        raise Fault(f"{changed[0]} changes while it is frozen", "update buffers only `if self.training`")
