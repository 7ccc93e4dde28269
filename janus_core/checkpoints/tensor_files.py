"""The tensors of a published model, wherever its files put them, read one at a time and without running code."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from janus_core.checkpoints.stream import DTYPES
from janus_core.errors import UserError

NAMES = ("model.safetensors.index.json", "model.safetensors", "pytorch_model.bin.index.json", "pytorch_model.bin")
"""What weights are called, an index of shards or one file; the first that is there is read."""
OPEN_AT_ONCE = 2
"""A split tensor may lie in two shards; older ones are closed, so that their pages leave memory."""


class TensorFiles:
    """The tensors of a folder (with or without an index), or of one file, by name.

    Args:
        path: a folder with ``model.safetensors`` or ``pytorch_model.bin``, whole or in shards, or such a file.

    Attributes:
        meta: name -> tensor on the meta device: type and shape.

    Raises:
        UserError: there is no such file, a shard is missing or cut short, or a pickle asks to run code.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.meta: dict[str, Tensor] = {}
        self._file: dict[str, Path] = {}
        self._open: dict[Path, Mapping[str, Tensor]] = {}
        for file in find_files(path):
            for name, tensor in _list(file):
                if name in self._file:
                    raise UserError(f"{name} is in {self._file[name].name} and in {file.name}", "fetch the files again")
                self._file[name], self.meta[name] = file, tensor

    @property
    def order(self) -> list[str]:
        """The names, file by file."""
        return list(self._file)

    def get(self, name: str) -> Tensor:
        """One tensor, on the CPU; a view of the file in memory, not a copy."""
        return self._opened(self._file[name])[name]

    def close(self) -> None:
        """Let go of all files."""
        self._open.clear()

    def _opened(self, file: Path) -> Mapping[str, Tensor]:
        if file not in self._open:
            while len(self._open) >= OPEN_AT_ONCE:
                del self._open[next(iter(self._open))]
            self._open[file] = _Safetensors(file) if file.suffix == ".safetensors" else _unpickle(file)
        return self._open[file]


class _Safetensors(Mapping[str, Tensor]):
    """The tensors of an open safetensors file."""

    def __init__(self, path: Path) -> None:
        with _readable(path):
            self._file: Any = safe_open(path, "pt")

    def __getitem__(self, name: str) -> Tensor:
        tensor: Tensor = self._file.get_tensor(name)
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._file.keys())

    def __len__(self) -> int:
        return len(self._file.keys())


def find_files(path: Path) -> list[Path]:
    """The files that hold the weights of a model.

    Raises:
        UserError: there are none, or the index names files that are not there.
    """
    if path.is_file():
        return [path]
    for name in NAMES:
        if (path / name).is_file():
            return _indexed(path, path / name) if name.endswith(".json") else [path / name]
    state = "holds none of them" if path.is_dir() else "does not exist"
    raise UserError(f"looked for {', '.join(NAMES)}, but {path} {state}", "give the folder of the downloaded model")


def _indexed(folder: Path, index: Path) -> list[Path]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise UserError(f"{index} is no index of shards: {error}", "fetch the file again") from error
    outside = [name for name in names if Path(str(name)).name != name]
    if outside:
        raise UserError(f"{index} names files outside its folder: {', '.join(map(str, outside))}")
    absent = [name for name in names if not (folder / name).is_file()]
    if absent:
        raise UserError(f"{index} names shards that are not there: {', '.join(absent)}", "fetch the missing files")
    return [folder / name for name in names]


def _list(path: Path) -> Iterator[tuple[str, Tensor]]:
    if path.suffix != ".safetensors":
        for name, tensor in _unpickle(path).items():
            yield name, tensor.to("meta")
        return
    with _readable(path), safe_open(path, "pt") as file:
        for name in file.keys():  # noqa: SIM118 -- not a dict
            part = file.get_slice(name)
            dtype = DTYPES.get(part.get_dtype())
            if dtype is None:
                raise UserError(f"{path}: {name} has the type {part.get_dtype()}; known: {', '.join(DTYPES)}")
            yield name, torch.empty(part.get_shape(), dtype=dtype, device="meta")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is cut short or damaged: {error}", "fetch the file again") from error


def _unpickle(path: Path) -> dict[str, Tensor]:
    damaged = f"{path} is cut short or no file of torch.save"
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} is a pickle that holds more than tensors and would run code when read; nothing of it was run "
            f"({str(error).strip().splitlines()[0]})",
            "use the safetensors file of the model, or fetch the file from where it was published",
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, IndexError, KeyError, AttributeError) as error:
        raise UserError(f"{damaged}: {str(error).strip().splitlines()[0][:200]}", "fetch the file again") from error
    tensors = isinstance(content, dict) and all(isinstance(value, Tensor) for value in content.values())
    if not tensors:
        raise UserError(f"{path} holds no table of tensors but {type(content).__name__}", "give the model's weights")
    return {str(name): tensor for name, tensor in content.items()}
