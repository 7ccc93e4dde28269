"""The content of a raw input as a hash: two inputs have the same one only if no transform can tell them apart."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Protocol

import numpy as np
import torch
from PIL.Image import Image

from janus_core.errors import UserError


class _Hash(Protocol):
    def update(self, data: Any, /) -> None: ...


def raw_digest(raw: object) -> bytes:
    """SHA-256 of the content of a raw input: pixels, size and mode of a picture; type, shape and values of an array.

    Args:
        raw: a PIL image, bytes, an array, a tensor, a number, or tuples, lists, mappings and data classes of them.

    Raises:
        UserError: anything else. Text too: it may be the path of a file, which may change under the same name.
    """
    total = hashlib.sha256()
    _add(total, raw)
    return total.digest()


def _add(total: _Hash, raw: object) -> None:
    if isinstance(raw, Image):
        palette = raw.getpalette() if raw.mode in ("P", "PA") else None
        transparency = raw.info.get("transparency") if palette else None
        _tag(total, "image", raw.mode, raw.size, palette, transparency)
        _bytes(total, raw.tobytes())
    elif isinstance(raw, bytes | bytearray | memoryview):
        _bytes(total, bytes(raw))
    elif isinstance(raw, torch.Tensor):
        value = raw.detach().cpu().contiguous()
        _tag(total, "tensor", value.dtype, tuple(value.shape))
        _bytes(total, value.reshape(-1).view(torch.uint8).numpy().tobytes())
    elif isinstance(raw, np.ndarray | np.generic) and raw.dtype.kind in "biufcSU":
        _tag(total, "array", raw.dtype.str, raw.shape)
        _bytes(total, np.ascontiguousarray(raw).tobytes())
    elif raw is None or isinstance(raw, bool | int):
        _tag(total, type(raw).__name__, raw)
    elif isinstance(raw, float):
        _tag(total, "float", struct.pack("<d", raw))
    elif isinstance(raw, tuple | list):
        _tag(total, "row", len(raw))
        for item in raw:
            _add(total, item)
    elif isinstance(raw, Mapping) and all(isinstance(key, str) for key in raw):
        _tag(total, "mapping", len(raw))
        for key in sorted(raw):
            _tag(total, "entry", key)
            _add(total, raw[key])
    elif is_dataclass(raw) and not isinstance(raw, type):
        _tag(total, "record", type(raw).__module__, type(raw).__qualname__)
        for item in fields(raw):
            _tag(total, "entry", item.name)
            _add(total, getattr(raw, item.name))
    else:
        raise UserError(
            f"a raw input of type {type(raw).__name__} cannot be cached: its content has no hash",
            "let the source give a picture, bytes, an array or a tensor, or remove run.cache from the recipe",
        )


def _tag(total: _Hash, *facts: object) -> None:
    _bytes(total, repr(facts).encode())


def _bytes(total: _Hash, data: bytes) -> None:
    """The length first, so that no two rows of pieces are one row of bytes."""
    total.update(struct.pack("<Q", len(data)))
    total.update(data)
