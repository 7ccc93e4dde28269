"""Transforms that stand in for a part's own: one looks an entry up, one finds out which entries are missing."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from janus_core.cache.shards import Entry, ShardReader
from janus_core.cache.space import Space
from janus_core.errors import UserError
from janus_core.interfaces import Features, Prepared, Transform

TRIED = 4
"""Raw inputs that each process transforms twice, to see that nothing random is done to them."""
TIMED = 8
"""Entries found that each process prepares all the same, to time what they save."""


class CachedTransform:
    """Raw input -> its entry. Takes the place of the transform of a frozen part.

    Attributes:
        digest: of the live transform and the space.
    """

    def __init__(self, part: str, live: Transform, space: Space, reader: ShardReader) -> None:
        self.digest = f"{live.digest}/cached/{space.id}"
        self._part, self._live, self._space, self._reader = part, live, space, reader

    def __call__(self, raw: Any) -> Prepared:
        """The entry of a raw input; where there is none, only its length is known.

        Rows are filled from more samples than the stage comes to: that one of the others has no entry is no error.

        Raises:
            ValueError: the live transform refuses an input that has none.
        """
        key = self._space.key(raw)
        if key not in self._reader:
            return Prepared(None, self._live(raw).num_tokens)
        entry = self._reader.get(key)
        return Prepared(entry, len(entry.values))

    def collate(self, prepared: Sequence[Prepared]) -> Features | Tensor:
        """`Features` padded to the longest, with a mask if lengths differ; or codes int64 [B, N, C].

        Raises:
            UserError: one has no entry; entries and live features are never mixed.
        """
        if any(item.inputs is None for item in prepared):
            raise UserError(
                f"the cache has no entry of {self._part} for an input of this stage (space {self._space.id})",
                "compute it first: janus cache build RECIPE with the same --set",
            )
        return collate([item.inputs for item in prepared], self._space)


def collate(entries: Sequence[Entry], space: Space) -> Features | Tensor:
    """A batch of entries as the model takes them."""
    if space.facts["role"] == "codes":
        return torch.stack([entry.values.to(torch.int64) for entry in entries])
    lengths = torch.tensor([len(entry.values) for entry in entries])
    longest = int(lengths.max())
    mask = None if bool((lengths == longest).all()) else torch.arange(longest) < lengths[:, None]
    places = [entry.positions for entry in entries if entry.positions is not None]
    return Features(
        pad_sequence([entry.values for entry in entries], batch_first=True),
        mask,
        pad_sequence(places, batch_first=True) if places else None,
    )


@dataclass(slots=True)
class Probe:
    """What is known of a raw input before the stage.

    Attributes:
        held: whether the cache has its entry.
        prepared: what the live transform made of it, where the entry is missing, checked or timed.
        hashed, transformed: seconds that the key and the live transform took.
    """

    key: bytes
    held: bool
    prepared: Prepared | None
    hashed: float
    transformed: float


@dataclass(slots=True)
class ProbingTransform:
    """Raw input -> `Probe`; ``collate`` gives the list of them.

    Attributes:
        check: fraction of the entries found that are prepared too, to be computed anew and compared.
        salt: which ones they are; another one, others.
    """

    part: str
    live: Transform
    space: Space
    reader: ShardReader
    check: float
    salt: bytes
    digest: str = field(init=False, default="")
    tried: int = field(init=False, default=0)
    timed: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.digest = f"{self.live.digest}/probed/{self.space.id}"

    def __call__(self, raw: Any) -> Prepared:
        """What is known of a raw input.

        Raises:
            UserError: it has no hash, or the transform makes something else of it every time.
            ValueError: the live transform refuses it.
        """
        began = time.perf_counter()
        key = self.space.key(raw)
        held = key in self.reader
        hashed = time.perf_counter() - began
        if held and not self._chosen(key):
            return Prepared(Probe(key, True, None, hashed, 0.0), self.reader.length(key))
        began = time.perf_counter()
        prepared = self.live(raw)
        transformed = time.perf_counter() - began
        self._try_again(raw, prepared)
        return Prepared(Probe(key, held, prepared, hashed, transformed), prepared.num_tokens)

    def collate(self, prepared: Sequence[Prepared]) -> list[Probe]:
        """The probes."""
        return [item.inputs for item in prepared]

    def _chosen(self, key: bytes) -> bool:
        if self.timed < TIMED:
            self.timed += 1
            return True
        drawn = int.from_bytes(hashlib.sha256(self.salt + key).digest()[:7], "big") / 2**56
        return drawn < self.check

    def _try_again(self, raw: Any, prepared: Prepared) -> None:
        if self.tried >= TRIED:
            return
        self.tried += 1
        if not same(self.live(raw), prepared):
            raise UserError(
                f"{self.part} cannot be cached: its transform makes something else of the same input every time",
                "turn its augmentation off, or remove run.cache from the recipe",
            )


def same(first: Any, second: Any) -> bool:
    """Whether two prepared inputs are bit-equal."""
    if type(first) is not type(second):
        return False
    if isinstance(first, Prepared):
        return first.num_tokens == second.num_tokens and same(first.inputs, second.inputs)
    if isinstance(first, Tensor):
        return first.dtype == second.dtype and torch.equal(first, second)
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and np.array_equal(first, second)
    if isinstance(first, Mapping):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, tuple | list):
        return len(first) == len(second) and all(map(same, first, second))
    return bool(first == second)
