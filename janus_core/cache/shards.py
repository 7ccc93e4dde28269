"""Shards: many entries in one safetensors file, whose name is the SHA-256 of its bytes."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from janus_core.errors import UserError

KEY = 32
"""Bytes of a key."""
SUFFIX = ".safetensors"


@dataclass(slots=True)
class Entry:
    """What is kept of one raw input.

    Attributes:
        values: features [n, width], or codes [N, C] of any integer type.
        positions: coordinates of the features [n, d], or None.
    """

    values: Tensor
    positions: Tensor | None = None

    @property
    def size(self) -> int:
        """Bytes."""
        return self.values.nbytes + (0 if self.positions is None else self.positions.nbytes)


def smallest(sizes: Sequence[int]) -> torch.dtype:
    """The smallest type that holds the codes of codebooks of these sizes."""
    largest = max(sizes) - 1
    return torch.uint8 if largest < 2**8 else torch.uint16 if largest < 2**16 else torch.int32


def pack_shard(keys: Sequence[bytes], entries: Sequence[Entry]) -> bytes:
    """The bytes of a shard: ``keys`` uint8 [E, 32], ``lengths`` int64 [E], ``values`` and perhaps ``positions``."""
    dtype = entries[0].values.dtype
    wide = [entry.values.to(torch.int32) if dtype == torch.uint16 else entry.values for entry in entries]
    tensors = {
        "keys": torch.frombuffer(bytearray(b"".join(keys)), dtype=torch.uint8).view(-1, KEY),
        "lengths": torch.tensor([len(entry.values) for entry in entries]),
        "values": torch.cat(wide).to(dtype).contiguous(),
    }
    if entries[0].positions is not None:
        tensors["positions"] = torch.cat([e.positions for e in entries if e.positions is not None]).contiguous()
    return save(tensors)


def write_shard(folder: Path, data: bytes) -> Path:
    """Write a shard under the name of its content; two processes that write the same one do no harm."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{hashlib.sha256(data).hexdigest()}{SUFFIX}"
    partial = folder / f".{path.stem[:16]}-{os.getpid()}-{secrets.token_hex(4)}.partial"
    try:
        partial.write_bytes(data)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def is_whole(path: Path) -> bool:
    """Whether the bytes of a shard are those that were written."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == path.stem
    except OSError:
        return False


class ShardReader:
    """Entries by key, from any number of shards; each process opens the files itself when it first needs them.

    Attributes:
        paths: of the shards.
    """

    def __init__(self, paths: Sequence[Path] = ()) -> None:
        self.paths = tuple(paths)
        self._files: list[Any] = []
        self._places: dict[bytes, tuple[int, int, int]] | None = None

    def __getstate__(self) -> tuple[Path, ...]:
        return self.paths

    def __setstate__(self, paths: tuple[Path, ...]) -> None:
        self.paths, self._files, self._places = paths, [], None

    def __len__(self) -> int:
        return len(self._index())

    def __contains__(self, key: bytes) -> bool:
        return key in self._index()

    def length(self, key: bytes) -> int:
        """Rows of an entry; `KeyError` if there is none."""
        return self._index()[key][2]

    def get(self, key: bytes) -> Entry:
        """The entry of a key; `KeyError` if there is none."""
        shard, start, length = self._index()[key]
        file = self._files[shard]
        # A copy: what is cut from a mapped file may share its pages.
        values = file["values"][start : start + length].clone()
        return Entry(values, file["positions"][start : start + length].clone() if "positions" in file else None)

    def _index(self) -> dict[bytes, tuple[int, int, int]]:
        if self._places is None:
            places: dict[bytes, tuple[int, int, int]] = {}
            for shard, path in enumerate(self.paths):
                slices, keys, lengths = _open(path)
                self._files.append(slices)
                start = 0
                for row, length in enumerate(lengths):
                    places.setdefault(keys[row * KEY : (row + 1) * KEY], (shard, start, length))
                    start += length
            self._places = places
        return self._places


def _open(path: Path) -> tuple[dict[str, Any], bytes, list[int]]:
    try:
        file: Any = safe_open(path, "pt")
        slices = {name: file.get_slice(name) for name in file.keys() if name in ("values", "positions")}  # noqa: SIM118
        return slices, file.get_tensor("keys").numpy().tobytes(), file.get_tensor("lengths").tolist()
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{path}: the shard was there when the stage began and cannot be read now: {error}",
            "start again: what is missing is computed anew",
        ) from error
