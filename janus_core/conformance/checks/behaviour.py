"""The same input gives the same output: whatever the batch, order, memory format or what was computed before."""

from __future__ import annotations

from typing import Any

import torch

from janus_core.conformance.check import KINDS, Exempt, Fault, check
from janus_core.conformance.state import pristine
from janus_core.conformance.subject import Subject
from janus_core.conformance.tree import copied, distance, equal, mapped, tensors

CLOSE = 1e-4


def values(out: Any) -> list[Any]:
    """Tensors of an `Out`, item by item."""
    return [list(item.values()) for item in out.items]


@check(
    "mode_kept",
    "must",
    KINDS,
    "train() and eval() reach every part, and a forward leaves them alone",
    prevents="a frozen part that trains on: dropout and batch statistics in what should be fixed",
)
def mode_kept(subject: Subject) -> None:
    subject.need("forward")
    module = subject.fresh()
    for mode in (True, False):
        module.train() if mode else module.eval()
        other = [name or "the module itself" for name, part in module.named_modules() if part.training != mode]
        if other:
            raise Fault(
                f"after {'train()' if mode else 'eval()'} {other[0]} is in {'eval' if mode else 'training'} mode",
                "do not override train(), and set no part's `training`: frozen parts are held in eval by the framework",
            )
    subject.run(module)
    other = [name or "the module itself" for name, part in module.named_modules() if part.training]
    if other:
        raise Fault(f"a forward puts {other[0]} into training mode", "call neither train() nor eval() in forward")
    module.train()
    with torch.enable_grad():
        subject.drive.loss(module, copied(subject.batch()))
    other = [name or "the module itself" for name, part in module.named_modules() if not part.training]
    if other:
        raise Fault(
            f"in training a forward puts {other[0]} into eval mode", "call neither train() nor eval() in forward"
        )


@check(
    "eval_fixed",
    "must",
    KINDS,
    "a forward in eval mode changes no weight and no buffer, also after a round of training",
    prevents="BatchNorm that goes on counting: a frozen part whose outputs drift",
)
def eval_fixed(subject: Subject) -> None:
    subject.need("forward")
    module = subject.fresh()
    before = copied(dict(module.state_dict()))
    with pristine(), torch.no_grad():
        for _ in range(2):
            subject.drive.run(module, copied(subject.batch()))
    after = module.state_dict()
    new = sorted(after.keys() - before.keys())
    if new:
        raise Fault(f"a forward creates {new[0]}", "create every parameter and buffer in the constructor")
    changed = [name for name, tensor in before.items() if not equal(tensor, after[name])]
    if changed:
        norm = " (BatchNorm statistics: it computes in training mode)" if "running" in changed[0] else ""
        raise Fault(
            f"a forward in eval mode changes {', '.join(changed[:3])}{norm}",
            "update buffers only `if self.training`; use F.batch_norm(..., training=self.training)",
        )


@check(
    "deterministic",
    "must",
    KINDS,
    "in eval mode two calls give the same bits",
    prevents="dropout that stays on: features that are noisy and caches that lie",
)
def deterministic(subject: Subject) -> None:
    subject.need("forward")
    found = []
    for seed in (1, 2):
        with pristine(), torch.no_grad():
            torch.manual_seed(seed)
            found.append(values(subject.drive.run(subject.module, copied(subject.batch()))))
    if not equal(*found):
        raise Fault(
            f"two calls in eval mode differ by {distance(*found):.2g} of the largest value",
            "use nn.Dropout (off in eval mode), or F.dropout(..., training=self.training)",
        )


@check(
    "no_memory",
    "must",
    KINDS,
    "a call leaves the outputs of earlier calls and its own inputs alone",
    prevents="values that change after they were given out",
)
def no_memory(subject: Subject) -> None:
    subject.need("forward")
    with pristine(), torch.no_grad():
        batch = copied(subject.batch())
        kept = copied(batch)
        first = subject.drive.run(subject.module, batch)
        if not equal(batch, kept):
            raise Fault("the forward changes its inputs in place", "write x = x + y, not x += y, on what is given")
        before = copied(values(first))
        other = mapped(kept, lambda tensor: tensor.flip(0).clone())
        subject.drive.run(subject.module, other)
        if not equal(values(first), before):
            raise Fault("a second call changes what the first gave", "give out a new tensor each time, not a buffer")
        again = subject.drive.run(subject.module, copied(kept))
        if not equal(values(again), before):
            raise Fault("the result of a batch depends on the batches before it", "keep no state between calls")
        twin = subject.fresh()
        if not equal(dict(twin.state_dict()), dict(subject.module.state_dict())):
            return  # its weights are others each time: the check 'seeding' says so
        expected = subject.drive.run(twin, copied(other))
        if distance(values(subject.drive.run(subject.module, copied(other))), values(expected)) > CLOSE:
            raise Fault("after another batch it gives the results of that one: it caches them", "keep no results")


@check(
    "instances",
    "must",
    KINDS,
    "two instances share nothing",
    prevents="an encoder of two routes, or of a teacher and a student, that is one in secret",
)
def instances(subject: Subject) -> None:
    subject.need("forward")
    module = subject.fresh()
    before = values(subject.run(module))
    other = subject.fresh(seed=1)
    theirs = {tensor.data_ptr(): name for name, tensor in other.state_dict().items() if tensor.numel()}
    shared = [name for name, tensor in module.state_dict().items() if tensor.data_ptr() in theirs]
    if shared:
        raise Fault(
            f"two instances share {shared[0]}", "build parts in the constructor, not in the class or a default argument"
        )
    subject.run(other)
    if not equal(values(subject.run(module)), before):
        raise Fault(
            "after another instance was built it gives other values: they share a global or a class attribute",
            "keep in the instance what it computes with",
        )


@check(
    "batch",
    "must",
    KINDS,
    "an item gives the same alone, in a batch and in another order",
    prevents="statistics over the batch: an answer that depends on who else asks",
)
def batch(subject: Subject) -> None:
    subject.need("forward")
    items = subject.items
    together = values(subject.outputs)
    alone = [values(subject.run(batch=copied(subject.batch([item]))))[0] for item in items]
    gap = distance(together, alone)
    if gap > CLOSE:
        raise Fault(
            f"alone and in a batch of {len(items)} an item differs by {gap:.2g} of the largest value",
            "use no statistics over the batch (BatchNorm in training mode) and no fixed batch size; mask the padding",
        )
    many = values(subject.run(batch=copied(subject.batch(items * 3))))
    if len(many) != 3 * len(items):
        raise Fault(
            f"{3 * len(items)} items give {len(many)} results", "give one for each item, whatever the batch size"
        )
    gap = distance(together, many[: len(items)])
    if gap > CLOSE:
        raise Fault(f"in a batch of {len(many)} an item differs by {gap:.2g}", "decide nothing by the batch size")
    louder = mapped(copied(subject.batch()), _louder)
    gap = distance(together[:1], values(subject.run(batch=louder))[:1])
    if gap > CLOSE:
        raise Fault(
            f"with other values in the other items an item differs by {gap:.2g} of the largest value",
            "take minima, maxima, means and scales of each item alone, not of the batch",
        )
    turned = values(subject.run(batch=copied(subject.batch(items[::-1]))))[::-1]
    gap = distance(together, turned)
    if gap > CLOSE:
        raise Fault(
            f"in another order an item differs by {gap:.2g} of the largest value",
            "let nothing depend on an item's row",
        )


def _louder(tensor: torch.Tensor) -> torch.Tensor:
    """All items but the first, scaled: a maximum over the batch is another then."""
    if not tensor.is_floating_point() or tensor.ndim < 2:
        return tensor
    return torch.cat((tensor[:1], 3 * tensor[1:] + 0.5))


@check(
    "memory_format",
    "must",
    KINDS,
    "channels-last and strided inputs give the same",
    prevents="an error, or wrong pixels, with the memory format that a GPU prefers",
)
def memory_format(subject: Subject) -> None:
    subject.need("forward")
    plain = values(subject.outputs)
    batch = subject.batch()

    def strided(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.transpose(0, -1).contiguous().transpose(0, -1)

    def channels_last(tensor: torch.Tensor) -> torch.Tensor:
        last = tensor.clone()
        return last.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else strided(last)

    if not tensors(batch):
        raise Exempt("its inputs are no tensors")
    for name, change in (("strided", strided), ("channels-last", channels_last)):
        with pristine(), torch.no_grad():
            try:
                found = values(subject.drive.run(subject.module, mapped(batch, change)))
            except RuntimeError as error:
                raise Fault(
                    f"a {name} input raises {str(error).splitlines()[0]}", "use reshape or flatten in place of view"
                ) from None
        gap = distance(plain, found)
        if gap > CLOSE:
            raise Fault(f"a {name} input gives other values ({gap:.2g})", "index by axis, not by memory")
