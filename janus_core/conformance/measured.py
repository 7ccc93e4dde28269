"""Facts that are measured: parameters, FLOPs, seconds."""

from __future__ import annotations

import time

from torch.utils.flop_counter import FlopCounterMode

from janus_core.conformance.subject import Subject


def parameters(subject: Subject) -> int:
    """Parameters of the module, shared ones once."""
    return sum(parameter.numel() for parameter in subject.module.parameters())


def flops(subject: Subject) -> int:
    """Floating-point operations of the matrix products and convolutions of one item (2 a multiply-add)."""
    batch = subject.batch(subject.items[:1])
    counter = FlopCounterMode(display=False)
    with counter:  # not under no_grad, where the counter cannot follow modules
        subject.drive.run(subject.module, batch)
    return int(counter.get_total_flops())


def seconds(subject: Subject) -> float:
    """The shortest of three runs of the shared batch."""
    batch = subject.batch()
    taken = []
    for _ in range(3):
        begun = time.perf_counter()
        subject.run(subject.module, batch)
        taken.append(time.perf_counter() - begun)
    return min(taken)
