"""This process among those of a run, and what they tell each other."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
import torch.distributed as dist
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, nn
from typing_extensions import override

from janus_core.config.recipe import RunConfig

BUCKET = 64 * 2**20
"""Bytes of gradients that are summed in one call."""


def begun_as(run: RunConfig) -> int:
    """The rank of this process, as torchrun, SLURM or Lightning's own launcher tell it before any of them talk."""
    if run.processes == 1:
        return 0
    if "RANK" in os.environ:
        return int(os.environ["RANK"])
    if "SLURM_PROCID" in os.environ and "LOCAL_RANK" not in os.environ:  # Lightning's own may run within a SLURM job
        return int(os.environ["SLURM_PROCID"])
    return int(os.environ.get("NODE_RANK", 0)) * run.devices + int(os.environ.get("LOCAL_RANK", 0))


def own_gpu(run: RunConfig) -> torch.device | None:
    """The GPU of this process before Lightning has chosen it; None where there is one process, or no GPU is wanted."""
    if run.processes == 1 or run.accelerator not in ("auto", "gpu", "cuda") or not torch.cuda.is_available():
        return None
    return torch.device("cuda", begun_as(run) % run.devices)


def rank_and_world() -> tuple[int, int]:
    """Of this process; (0, 1) where there is only one."""
    return (dist.get_rank(), dist.get_world_size()) if _several() else (0, 1)


def _several() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def sum_over_processes(values: Sequence[float], device: torch.device) -> list[float]:
    """Each number summed over the processes; exact for whole numbers up to 2**53."""
    if not _several():
        return list(values)
    tensor = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(tensor)
    return [float(value) for value in tensor]


def most_over_processes(values: Sequence[float], device: torch.device) -> list[float]:
    """The largest of each number over the processes."""
    if not _several():
        return list(values)
    tensor = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(tensor, op=dist.ReduceOp.MAX)
    return [float(value) for value in tensor]


def of_all_processes(value: Any) -> list[Any]:
    """What every process gave, by rank."""
    if not _several():
        return [value]
    given: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(given, value)
    return given


def wait_for_all() -> None:
    """Return when every process is here."""
    if _several():
        dist.barrier()


class SummedGradients(DDPStrategy):
    """Data parallel processes whose gradients are summed once a step, after all rows of the step.

    ``DistributedDataParallel`` averages within each backward pass: it hangs, or drops what earlier rows gave, where a
    process has a task that the others lack, or another number of rows. Here the losses are divided by the counts of
    the whole step, so that the plain sum of what every process has is the gradient of one large batch.
    """

    @override
    def configure_ddp(self) -> None:
        """The module is not wrapped: `sum_gradients` does the work."""


def sum_gradients(parameters: Iterable[nn.Parameter], device: torch.device) -> None:
    """Sum the gradients over the processes; one that no process has stays None, as it would with a single process."""
    if not _several():
        return
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    has = most_over_processes([float(parameter.grad is not None) for parameter in trained], device)
    used = [parameter for parameter, some in zip(trained, has, strict=True) if some]
    for parameter in used:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    for bucket in _buckets([parameter.grad for parameter in used if parameter.grad is not None]):
        flat = torch.cat([gradient.flatten() for gradient in bucket])
        dist.all_reduce(flat)
        for gradient, summed in zip(bucket, torch.split(flat, [g.numel() for g in bucket]), strict=True):
            gradient.copy_(summed.view_as(gradient))


def _buckets(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    bucket: list[Tensor] = []
    size = 0
    for gradient in gradients:
        if bucket and (size >= BUCKET or gradient.dtype != bucket[0].dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(gradient)
        size += gradient.numel() * gradient.element_size()
    if bucket:
        yield bucket
