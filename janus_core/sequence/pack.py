"""Assembled samples -> one packed row of tensors; no sample sees another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from janus_core.interfaces import TASKS, SequenceLayout, Task, Transform
from janus_core.sequence.assemble import Assembled


@dataclass(slots=True)
class GivenBatch:
    """Inputs of one route: what ``collate`` gave, and for each of their tokens its index in the packed row [n]."""

    inputs: Any
    index: Tensor


@dataclass(slots=True)
class Batch:
    """A packed batch.

    Attributes:
        ids: int64 [1, T].
        layout: positions restart with each sample; lengths of the samples.
        text_index: int64 [M], indices in the row whose hidden states predict ``text_labels`` [M].
        text_task: int64 [M], index in `TASKS` of the sample each label belongs to.
        given: by route.
        pixels: what the tokenizer's transform collated, or None.
        code_index: int64 [P, N], indices in the row at which the codes of each picture lie.
        sample_ids, tasks, lengths: one a sample that is learned; ``lengths`` in tokens.
        spare_pictures: how many of the last pictures are not learned: they only keep processes in step.
    """

    ids: Tensor
    layout: SequenceLayout
    text_index: Tensor
    text_labels: Tensor
    text_task: Tensor
    given: dict[str, GivenBatch]
    pixels: Any
    code_index: Tensor
    sample_ids: tuple[str, ...]
    tasks: tuple[Task, ...]
    lengths: tuple[int, ...]
    spare_pictures: int = 0

    def learned_codes(self) -> Tensor:
        """int64 [L, N]: the rows of ``code_index`` whose codes are learned."""
        return self.code_index[: len(self.code_index) - self.spare_pictures]

    def supervised(self) -> dict[Task, int]:
        """How many words or codes are learned, by task; known before any forward pass, so that a step that is spread
        over rows and processes can divide by the whole number."""
        counts: dict[Task, int] = {}
        for index, task in enumerate(TASKS):
            of_task = int((self.text_task == index).sum()) if task != "generation" else self.learned_codes().numel()
            if of_task:
                counts[task] = of_task
        return counts

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        return Batch(**{item.name: move(getattr(self, item.name), device) for item in fields(self)})


def pack(
    samples: Sequence[Assembled],
    routes: Mapping[str, Transform],
    target: Transform | None,
    *,
    isolate: bool = True,
    spare: Sequence[Assembled] = (),
) -> Batch:
    """Lay the samples one after another in one row.

    Args:
        isolate: no sample sees another and positions restart with each; else the row is one causal sequence.
        spare: samples laid behind the others that pass through the model and are not learned.
    """
    learned, samples = len(samples), [*samples, *(replace(sample, text_targets=[]) for sample in spare)]
    lengths = tuple(len(sample.ids) for sample in samples)
    starts = [0, *accumulate(lengths)]
    text = [
        (start + at, label, TASKS.index(s.task))
        for start, s in zip(starts, samples, strict=False)
        for at, label in s.text_targets
    ]
    given: dict[str, GivenBatch] = {}
    for route, transform in routes.items():
        places = [(start, p) for start, s in zip(starts, samples, strict=False) for name, p in s.given if name == route]
        if places:
            index = torch.cat([torch.arange(start + p.start, start + p.start + p.length) for start, p in places])
            given[route] = GivenBatch(transform.collate([p.prepared for _, p in places]), index)
    targets = [(start, p) for start, s in zip(starts, samples, strict=False) for p in s.targets]
    pixels = target.collate([p.prepared for _, p in targets]) if targets and target is not None else None
    code_index = [torch.arange(start + p.start, start + p.start + p.length) for start, p in targets]
    return Batch(
        ids=torch.tensor([[token for sample in samples for token in sample.ids]]),
        layout=_layout(lengths if isolate else (sum(lengths),)),
        text_index=torch.tensor([t[0] for t in text], dtype=torch.int64),
        text_labels=torch.tensor([t[1] for t in text], dtype=torch.int64),
        text_task=torch.tensor([t[2] for t in text], dtype=torch.int64),
        given=given,
        pixels=pixels,
        code_index=torch.stack(code_index) if code_index else torch.zeros(0, 0, dtype=torch.int64),
        sample_ids=tuple(sample.id for sample in samples[:learned]),
        tasks=tuple(sample.task for sample in samples[:learned]),
        lengths=lengths[:learned],
        spare_pictures=sum(len(sample.targets) for sample in spare),
    )


def _layout(lengths: tuple[int, ...]) -> SequenceLayout:
    return SequenceLayout(torch.cat([torch.arange(length) for length in lengths])[None], lengths)


def move(value: Any, device: torch.device) -> Any:
    """What a transform collated, or a part of a batch, on a device."""
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, SequenceLayout):
        return SequenceLayout(value.positions.to(device), value.lengths)
    if isinstance(value, GivenBatch):
        return GivenBatch(move(value.inputs, device), move(value.index, device))
    if isinstance(value, Mapping):
        return {key: move(item, device) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(move(item, device) for item in value)
    return value
