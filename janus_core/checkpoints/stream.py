"""Writing safetensors one tensor at a time: no more than one tensor of a model need be in memory."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch
from torch import Tensor

TYPES: Mapping[torch.dtype, str] = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""The types of tensors in checkpoints, and their names in safetensors."""

DTYPES: Mapping[str, torch.dtype] = {name: dtype for dtype, name in TYPES.items()}
SHARD = 5 * 2**30
"""Bytes of a shard of a published model; transformers' former default."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor that is to come: its name, type and shape."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return prod(self.shape) * self.dtype.itemsize

    @classmethod
    def of(cls, name: str, tensor: Tensor) -> TensorSpec:
        """The spec of a tensor, which may be on the meta device."""
        return cls(name, tensor.dtype, tuple(tensor.shape))


def write_safetensors(path: Path, specs: Sequence[TensorSpec], tensors: Iterable[tuple[str, Tensor]]) -> None:
    """Write one file.

    Args:
        specs: what will come, in order.
        tensors: (name, tensor) in the same order; each is asked for only when the one before is written.

    Raises:
        OSError: the disk is full, or cannot be written to.
        ValueError: a tensor is not what its spec says.
    """
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    at = 0
    for spec in specs:
        header[spec.name] = {
            "dtype": TYPES[spec.dtype],
            "shape": list(spec.shape),
            "data_offsets": [at, at + spec.size],
        }
        at += spec.size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for spec, (name, tensor) in zip(specs, tensors, strict=True):
            if TensorSpec.of(name, tensor) != spec:
                raise ValueError(f"{name} is {tensor.dtype} {list(tensor.shape)}, announced was {spec}")
            flat = tensor.detach().cpu().contiguous().reshape(-1)
            if flat.numel():
                file.write(flat.view(torch.uint8).numpy().data)
        file.flush()
        os.fsync(file.fileno())


def write_shards(
    folder: Path, specs: Sequence[TensorSpec], tensors: Iterable[tuple[str, Tensor]], *, shard: int = SHARD
) -> None:
    """Write ``model.safetensors``, or numbered shards of at most ``shard`` bytes and their index, as transformers names
    them."""
    groups: list[list[TensorSpec]] = [[]]
    for spec in specs:
        if groups[-1] and sum(s.size for s in groups[-1]) + spec.size > shard:
            groups.append([])
        groups[-1].append(spec)
    stream = iter(tensors)
    if len(groups) == 1:
        write_safetensors(folder / "model.safetensors", specs, stream)
        return
    table: dict[str, str] = {}
    for number, group in enumerate(groups, start=1):
        name = f"model-{number:05d}-of-{len(groups):05d}.safetensors"
        write_safetensors(folder / name, group, (next(stream) for _ in group))
        table |= {spec.name: name for spec in group}
    index = {"metadata": {"total_size": sum(spec.size for spec in specs)}, "weight_map": table}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2), encoding="utf-8")
