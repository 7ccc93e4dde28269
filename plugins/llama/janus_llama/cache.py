"""Keys and values of the tokens so far."""

from __future__ import annotations

import torch
from torch import Tensor


class KeyValueCache:
    """Preallocated keys and values, each ``[rows, kv_heads, length, head_width]``, one pair a layer.

    A key lies at its token's position. Memory starts as zeros, so that an unwritten place can be masked out without
    ever giving NaN. The cache carries no gradient.
    """

    def __init__(
        self, rows: int, length: int, *, layers: int, heads: int, width: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        self.rows, self.length = rows, length
        shape = (rows, heads, length, width)
        self.keys = [torch.zeros(shape, dtype=dtype, device=device) for _ in range(layers)]
        self.values = [torch.zeros(shape, dtype=dtype, device=device) for _ in range(layers)]
        self._rows = torch.arange(rows, device=device)[:, None]

    def write(self, layer: int, positions: Tensor, keys: Tensor, values: Tensor) -> None:
        """Store ``[rows, kv_heads, T, head_width]`` at ``positions`` [rows, T]."""
        for store, new in ((self.keys[layer], keys), (self.values[layer], values)):
            store[self._rows, :, positions] = new.detach().transpose(1, 2).to(store.dtype)

    def read(self, layer: int, prefix: int) -> tuple[Tensor, Tensor]:
        """Keys and values of the first ``prefix`` positions, as views."""
        return self.keys[layer][:, :, :prefix], self.values[layer][:, :, :prefix]
