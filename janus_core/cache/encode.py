"""Prepared inputs -> entries: a frozen part run without gradient, as it runs in training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from janus_core.cache.shards import Entry, smallest
from janus_core.cache.space import Role
from janus_core.errors import UserError
from janus_core.interfaces import CodeLayout, Features, GenerationTokenizer, Prepared, Transform, device_of

BATCH = 8
"""Inputs that are computed at once. Always as many, because some kernels round by the size of the batch."""

TOLERANCE = {torch.float64: 1e-5, torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 2e-2}
"""Largest difference of a feature from the one computed anew, as a fraction of the entry's largest: what another batch
or another number of threads may change. Codes must be equal."""
TOLERANCE_OF_ACCELERATOR = 2e-3
"""On a GPU, where convolutions take TF32."""


@dataclass(slots=True)
class PartEncoder:
    """Runs one part in one role.

    Attributes:
        layout: of the codes; None for features.
        device: where it runs; the part is moved there by `janus_core.cache.stage`.
        precision: Lightning's name.
    """

    name: str
    part: nn.Module
    transform: Transform
    role: Role
    layout: CodeLayout | None
    device: torch.device
    precision: str

    def __call__(self, prepared: Sequence[Prepared]) -> list[Entry]:
        """The entries of up to `BATCH` inputs.

        Raises:
            UserError: the part gives another number of tokens than announced, or real tokens behind padding.
        """
        filled = [*prepared, *[prepared[-1]] * (BATCH - len(prepared))]
        inputs = _to(self.transform.collate(filled), self.device)
        bfloat = self.precision == "bf16-mixed"
        with torch.no_grad(), torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=bfloat):
            if self.role == "codes":
                return self._codes(inputs)[: len(prepared)]
            return self._features(self.part(inputs), prepared)

    def _codes(self, pixels: Any) -> list[Entry]:
        assert self.layout is not None
        codes = cast(GenerationTokenizer, self.part).encode(pixels).cpu()
        largest = max(self.layout.codebooks)
        if codes.dim() != 3 or int(codes.min()) < 0 or int(codes.max()) >= largest:
            raise UserError(f"{self.name} cannot be cached: its codes {tuple(codes.shape)} are not below {largest}")
        return [Entry(item.to(smallest(self.layout.codebooks))) for item in codes]

    def _features(self, features: Features, prepared: Sequence[Prepared]) -> list[Entry]:
        tokens = features.tokens.detach().cpu()
        mask = None if features.mask is None else features.mask.cpu()
        places = None if features.positions is None else features.positions.detach().cpu()
        entries = []
        for row, item in enumerate(prepared):
            count = tokens.shape[1] if mask is None else int(mask[row].sum())
            if count != item.num_tokens or (mask is not None and not bool(mask[row, :count].all())):
                raise UserError(
                    f"{self.name} cannot be cached: it gives {count} tokens where its transform announced "
                    f"{item.num_tokens}, or padding before tokens",
                    "remove run.cache from the recipe, and tell the author of the plugin",
                )
            entries.append(Entry(tokens[row, :count].clone(), None if places is None else places[row, :count].clone()))
        return entries

    def difference(self, kept: Entry, found: Entry) -> tuple[float, float]:
        """(largest difference, largest that is allowed) of an entry and the same computed anew; infinite for codes."""
        if same(kept.values, found.values) and same(kept.positions, found.positions):
            return 0.0, 0.0
        alike = kept.values.shape == found.values.shape and kept.values.dtype == found.values.dtype
        if self.role == "codes" or not alike or not same(kept.positions, found.positions):
            return float("inf"), 0.0
        allowed = TOLERANCE.get(found.values.dtype, 0.0)
        if self.device.type != "cpu":
            allowed = max(allowed, TOLERANCE_OF_ACCELERATOR)
        largest = float(found.values.abs().max())
        away = float((kept.values.float() - found.values.float()).abs().max())
        return (float("inf") if math.isnan(away) else away), allowed * largest


def same(first: Tensor | None, second: Tensor | None) -> bool:
    """Whether two tensors are equal bit by bit, or both None."""
    if first is None or second is None:
        return first is second
    if first.dtype != second.dtype or first.shape != second.shape:
        return False
    return torch.equal(first.contiguous().view(torch.uint8), second.contiguous().view(torch.uint8))


def move(part: nn.Module, device: torch.device) -> torch.device:
    """Move a part to a device; returns the one it was on."""
    before = device_of(part)
    if before.type != device.type or (device.index is not None and before != device):
        part.to(device)
    return before


def _to(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, Mapping):
        return {key: _to(item, device) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_to(item, device) for item in value)
    return value
