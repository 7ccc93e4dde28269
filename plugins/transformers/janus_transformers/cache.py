"""A cache of transformers' kind whose keys lie at their token's position, so that rows may differ in length."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin


class PositionedLayer(CacheLayerMixin):  # type: ignore[misc]
    """Keys and values of one layer, [rows, heads, length, width]; memory starts as zeros."""

    is_sliding = False

    def __init__(self, rows: int, length: int) -> None:
        super().__init__()
        self.rows, self.length = rows, length
        self.positions: Tensor | None = None
        self.prefix = 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Take heads, widths, type and device from the first keys and values."""
        self.keys, self.values = (
            new.new_zeros(self.rows, new.shape[1], self.length, new.shape[3]) for new in (key_states, value_states)
        )
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Store the keys and values at the positions of this call; those of the first ``prefix`` positions."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.positions is not None
        rows = torch.arange(self.rows, device=key_states.device)[:, None]
        for store, new in ((self.keys, key_states), (self.values, value_states)):
            store[rows, :, self.positions] = new.detach().transpose(1, 2).to(store.dtype)
        return self.keys[:, :, : self.prefix], self.values[:, :, : self.prefix]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """(number of keys, offset); the model is always given a mask, so nobody builds one from it."""
        return self.prefix, 0

    def get_seq_length(self) -> int:
        """Positions that the last call could see."""
        return self.prefix

    def get_max_length(self) -> int:
        """Positions that there is room for."""
        return self.length


class PositionedCache(Cache):  # type: ignore[misc]
    """One `PositionedLayer` a layer; conforms to `janus_core.interfaces.Cache`."""

    def __init__(self, rows: int, length: int, layers: int) -> None:
        super().__init__(layers=[PositionedLayer(rows, length) for _ in range(layers)])
        self.rows, self.length = rows, length

    def at(self, positions: Tensor, prefix: int) -> None:
        """The positions int64 [rows, T] of the tokens of the next call, and how many keys it reads."""
        for layer in self.layers:
            layer.positions, layer.prefix = positions, prefix
