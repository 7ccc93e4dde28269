"""Tensors inside whatever a component takes or gives: dicts, sequences and small dataclasses of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor


def mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same structure with every tensor changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, Mapping):
        return {key: mapped(item, change) for key, item in value.items()}
    if isinstance(value, tuple | list):
        items = [mapped(item, change) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        facts = {f.name: mapped(getattr(value, f.name), change) for f in dataclasses.fields(value) if f.init}
        return type(value)(**facts) if any(tensors(getattr(value, name)) for name in facts) else value
    return value


def tensors(value: Any) -> list[Tensor]:
    """Every tensor, in a stable order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        return [tensor for item in value.values() for tensor in tensors(item)]
    if isinstance(value, tuple | list):
        return [tensor for item in value for tensor in tensors(item)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [tensor for f in dataclasses.fields(value) for tensor in tensors(getattr(value, f.name))]
    return []


def copied(value: Any) -> Any:
    """The same with tensors of its own."""
    return mapped(value, lambda tensor: tensor.detach().clone())


def moved(value: Any, *, device: Any = None, dtype: torch.dtype | None = None) -> Any:
    """The same on a device, and floats in a dtype."""

    def change(tensor: Tensor) -> Tensor:
        return tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else None)

    return mapped(value, change)


def equal(first: Any, second: Any) -> bool:
    """Whether all tensors are bit-equal (NaN equals NaN) and of the same shapes."""
    ones, others = tensors(first), tensors(second)
    return len(ones) == len(others) and all(
        a.shape == b.shape and a.dtype == b.dtype and torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))
        for a, b in zip(ones, others, strict=True)
    )


def distance(first: Any, second: Any) -> float:
    """Largest difference of the tensors, as a fraction of the largest value; for integers the fraction that differs.

    Infinite if the shapes differ or anything is not finite.
    """
    ones, others = tensors(first), tensors(second)
    if [tensor.shape for tensor in ones] != [tensor.shape for tensor in others]:
        return float("inf")
    worst = 0.0
    for a, b in zip(ones, others, strict=True):
        if a.numel() == 0:
            continue
        if not a.is_floating_point():
            worst = max(worst, 1e-2 * float((a != b).double().mean()))  # a code on an edge may flip: 1 % passes at 1e-4
            continue
        one, other = a.detach().double().cpu(), b.detach().double().cpu()
        if not (one.isfinite().all() and other.isfinite().all()):
            return float("inf")
        worst = max(worst, float((one - other).abs().max() / one.abs().max().clamp(min=1e-3)))
    return worst
