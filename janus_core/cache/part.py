"""One part in one role in the cache: what is missing is computed and written, some of what is there is checked."""

from __future__ import annotations

import json
import math
import os
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from janus_core.cache.encode import BATCH, PartEncoder
from janus_core.cache.shards import Entry, ShardReader, is_whole, pack_shard, write_shard
from janus_core.cache.space import Space
from janus_core.cache.store import Store, bytes_of, read_json, shards, touch
from janus_core.cache.transforms import CachedTransform, Probe, ProbingTransform, collate
from janus_core.errors import UserError
from janus_core.interfaces import Prepared

SHARD_BYTES = 128 * 2**20
"""A shard is written when its entries are this large."""
TIMED_READS = 32
"""Entries that are read once more to time it."""
STREAMS = "streams"
"""Folder in a space: one file for each stream of inputs that it holds whole."""


@dataclass(slots=True)
class Tally:
    """What became of the inputs of one part, counts and seconds."""

    uses: int = 0
    entries: int = 0
    probed: int = 0
    computed: int = 0
    checked: int = 0
    missing: int = 0
    hashed: float = 0.0
    transforms: int = 0
    transformed: float = 0.0
    batches: list[float] = field(default_factory=list)
    read: float = 0.0

    @property
    def live(self) -> float:
        """Seconds that an input takes without a cache: its transform and its share of a full batch of the part."""
        each = min(self.batches) / BATCH if self.batches else 0.0
        return self.transformed / max(self.transforms, 1) + each

    @property
    def cached(self) -> float:
        """Seconds that an input takes with a cache: its hash and the reading of its entry."""
        return self.hashed / max(self.probed, 1) + self.read


class CachedPart:
    """One part in one role: finds what is missing, computes and writes it, and checks some of what is there.

    Args:
        path: folder of the space, in use.
        check: fraction of the entries found that are computed anew and compared.
        compute: compute what is missing; else only count it.
    """

    def __init__(
        self,
        encoder: PartEncoder,
        space: Space,
        store: Store,
        path: Path,
        *,
        limit: int,
        check: float,
        compute: bool,
        say: Callable[[str], None],
    ) -> None:
        self.encoder, self.space, self.tally = encoder, space, Tally()
        self._store, self._path, self._limit, self._compute, self._say = store, path, limit, compute, say
        self._seen: set[bytes] = set()
        self._missing: list[tuple[bytes, Prepared]] = []
        self._doubted: list[tuple[bytes, Prepared]] = []
        self._unwritten: dict[bytes, Entry] = {}
        self._unwritten_bytes = 0
        self._known: dict[str, Any] = {}
        self.reader = self._open()
        self.probing = ProbingTransform(
            encoder.name, encoder.transform, space, self.reader, check, secrets.token_bytes(8)
        )

    def _open(self) -> ShardReader:
        """The entries that are there; damaged shards are removed."""
        whole = []
        for path in shards(self._path):
            if is_whole(path):
                touch(path)
                whole.append(path)
            elif path.exists():
                self._say(f"cache: WARNING: {path} is damaged and is removed; its entries are computed anew")
                path.unlink(missing_ok=True)
        return ShardReader(whole)

    def knows(self, stream: str) -> bool:
        """Whether all inputs of a stream are known to be here."""
        facts = read_json(self._path / STREAMS / f"{stream}.json")
        known = bool(facts) and set(facts["shards"]) <= {path.name for path in self.reader.paths}
        self._known = facts if known else {}
        return known

    def check_first(self) -> int:
        """Check the first inputs of a known stream in place of some of all; how many there must be."""
        count: int = self._known["entries"]
        share, self.probing.check = self.probing.check, 1.0
        return min(count, max(BATCH, math.ceil(share * count)))

    @property
    def looked_at(self) -> int:
        """How many entries were checked, or are about to be."""
        return self.tally.checked + len(self._doubted)

    def remember(self, stream: str) -> None:
        """Note that all inputs of a stream are here."""
        if self.tally.missing:
            return
        facts = {
            "entries": self.tally.entries,
            "uses": self.tally.uses,
            "shards": [path.name for path in self.reader.paths],
        }
        folder = self._path / STREAMS
        folder.mkdir(exist_ok=True)
        partial = folder / f".{stream}-{os.getpid()}.partial"
        partial.write_text(json.dumps(facts), encoding="utf-8")
        os.replace(partial, folder / f"{stream}.json")

    def stop(self) -> None:
        """The rest of a known stream is not looked at."""
        self.tally.entries, self.tally.uses = self._known["entries"], self._known["uses"]

    def take(self, probes: Iterable[Probe]) -> None:
        """Take note of the inputs of a batch; compute and check when enough have come together."""
        tally = self.tally
        for probe in probes:
            tally.uses += 1
            tally.probed += 1
            tally.hashed += probe.hashed
            if probe.prepared is not None:
                tally.transforms += 1
                tally.transformed += probe.transformed
            if probe.key in self._seen:
                continue
            self._seen.add(probe.key)
            tally.entries += 1
            if probe.held:
                if probe.prepared is not None:
                    self._doubted.append((probe.key, probe.prepared))
            elif self._compute and probe.prepared is not None:
                self._missing.append((probe.key, probe.prepared))
            else:
                tally.missing += 1
        while len(self._missing) >= BATCH:
            self._compute_missing()
        while len(self._doubted) >= BATCH:
            self._check_doubted()

    def finish(self) -> None:
        """Compute, check and write what is left; read and compute a few for their times; open the new entries."""
        while self._missing:
            self._compute_missing()
        while self._doubted:
            self._check_doubted()
        self._write()
        self.reader = self._reopen()
        keys = [key for key in self._seen if key in self.reader][:TIMED_READS]
        for warm in (False, True):
            began = time.perf_counter()
            for start in range(0, len(keys), BATCH):
                collate([self.reader.get(key) for key in keys[start : start + BATCH]], self.space)
            if warm and keys:
                self.tally.read = (time.perf_counter() - began) / len(keys)

    def _reopen(self) -> ShardReader:
        return ShardReader(shards(self._path)) if self.tally.computed else self.reader

    def _compute_missing(self) -> None:
        batch, self._missing = self._missing[:BATCH], self._missing[BATCH:]
        for (key, _), entry in zip(batch, self._run(batch), strict=True):
            self._unwritten[key] = entry
            self._unwritten_bytes += entry.size
        self.tally.computed += len(batch)
        if self._unwritten_bytes >= SHARD_BYTES:
            self._write()

    def _check_doubted(self) -> None:
        batch, self._doubted = self._doubted[:BATCH], self._doubted[BATCH:]
        for (key, _), found in zip(batch, self._run(batch), strict=True):
            away, allowed = self.encoder.difference(self.reader.get(key), found)
            if away > allowed:
                raise UserError(
                    f"the entry {key.hex()} of the space {self.space.id} is not what {self.encoder.name} computes: "
                    f"it differs by {away:.3g}, {allowed:.3g} is allowed",
                    f"remove the space, it is then computed anew: janus cache clear {self._store.folder} "
                    f"--space {self.space.id} --yes",
                )
        self.tally.checked += len(batch)

    def _run(self, batch: list[tuple[bytes, Prepared]]) -> list[Entry]:
        began = time.perf_counter()
        entries = self.encoder([prepared for _, prepared in batch])
        self.tally.batches.append(time.perf_counter() - began)
        return entries

    def _write(self) -> None:
        if not self._unwritten:
            return
        data = pack_shard(list(self._unwritten), list(self._unwritten.values()))
        with self._store.room_for(len(data), self._limit):
            write_shard(self._path, data)
        self._unwritten.clear()
        self._unwritten_bytes = 0

    @property
    def transform(self) -> CachedTransform:
        """What takes the place of the part's transform in the stage."""
        return CachedTransform(self.encoder.name, self.encoder.transform, self.space, self.reader)

    def facts(self) -> dict[str, Any]:
        """For the record of the run."""
        tally = self.tally
        return {
            "space": self.space.id,
            "uses": tally.uses,
            "entries": tally.entries,
            "computed": tally.computed,
            "checked": tally.checked,
            "bytes": sum(bytes_of(path) for path in shards(self._path)),
            "live_ms": round(1e3 * tally.live, 3),
            "cached_ms": round(1e3 * tally.cached, 3),
            "seconds_saved": round(tally.uses * (tally.live - tally.cached), 3),
            "seconds_of_computing": round(sum(tally.batches), 3),
        }
