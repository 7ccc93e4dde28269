"""The folder of a cache: its spaces, who uses them, and the limit of its size. Imports no torch."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from janus_core.errors import UserError

SPACE, IN_USE, LOCK = "space.json", "in_use", "lock"
SPACE_NAME, SHARD_NAME = re.compile(r"[0-9a-f]{16}"), re.compile(r"[0-9a-f]{64}\.safetensors")
"""Nothing of another name is ever counted or removed: a cache may have been put into a folder of other things."""


class Store:
    """A cache's folder: one folder a space, in it ``space.json``, the shards and a lock that users of it share.

    Args:
        folder: made when the first entry is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def spaces(self) -> list[Path]:
        """The folders of the spaces."""
        found = (path.parent for path in self.folder.glob(f"*/{SPACE}"))
        return sorted(path for path in found if SPACE_NAME.fullmatch(path.name))

    def size(self) -> int:
        """Bytes of all shards."""
        return sum(bytes_of(shard) for space in self.spaces() for shard in shards(space))

    @contextmanager
    def using(self, space: str, facts: Mapping[str, Any]) -> Iterator[Path]:
        """The folder of a space, from which no process removes a shard as long as this one is within.

        Args:
            space: its id.
            facts: what the space is; written if it is new.

        Raises:
            UserError: the folder is of a space with other facts.
        """
        path = self.folder / space
        path.mkdir(parents=True, exist_ok=True)
        with (path / IN_USE).open("a") as file:
            _lock(file, shared=True, wait=True)
            about = path / SPACE
            if not about.is_file():
                partial = path / f".{SPACE}-{os.getpid()}.partial"
                partial.write_text(json.dumps(dict(facts), indent=2, ensure_ascii=False), encoding="utf-8")
                os.replace(partial, about)
            elif read_space(path) != facts:
                raise UserError(
                    f"{about} does not say what the space is",
                    f"remove it: janus cache clear {self.folder} --space {space} --yes",
                )
            yield path

    @contextmanager
    def room_for(self, size: int, limit: int) -> Iterator[None]:
        """Within, a shard of ``size`` bytes may be written; older shards that nobody uses are removed for it.

        Raises:
            UserError: even without them the cache would be larger than ``limit`` bytes.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / LOCK).open("a") as file:
            _lock(file, shared=False, wait=True)
            self._shrink(limit - size)
            if (used := self.size()) + size > limit:
                raise UserError(
                    f"run.cache.max_gb: {limit / 1e9:g} GB are too few: the entries in use take {used / 1e9:.3g} GB "
                    f"and {size / 1e9:.3g} GB more are to be written, with others still to come",
                    "raise run.cache.max_gb, or remove run.cache from the recipe",
                )
            yield

    def _shrink(self, target: int) -> None:
        total = self.size()
        if total <= target:
            return
        for path in sorted((shard for space in self.spaces() for shard in shards(space)), key=last_used):
            with unused(path.parent) as free:
                if free:
                    total -= bytes_of(path)
                    path.unlink(missing_ok=True)
            if total <= target:
                return

    def remove(self, space: str | None = None) -> list[Path]:
        """Remove a space, or all; returns their folders.

        Raises:
            UserError: there is no such space, or a process uses it.
        """
        found = [path for path in self.spaces() if space is None or path.name.startswith(space)]
        if space is not None and len(found) != 1:
            known = ", ".join(path.name for path in self.spaces()) or "none"
            raise UserError(f"{self.folder} has {len(found) or 'no'} spaces {space!r}", f"spaces: {known}")
        for path in found:
            with unused(path) as free:
                if not free:
                    raise UserError(f"the space {path.name} is in use by a run", "wait for its end, or stop it")
                shutil.rmtree(path)
        return found


@contextmanager
def unused(space: Path) -> Iterator[bool]:
    """Whether no process uses a space; while true is given, none begins to."""
    with (space / IN_USE).open("a") as file:
        yield _lock(file, shared=False, wait=False)


def read_space(path: Path) -> dict[str, Any]:
    """The facts of a space; empty if the file is damaged."""
    return read_json(path / SPACE)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file; empty if there is none or it is damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def shards(path: Path) -> list[Path]:
    """The shards of a space."""
    return sorted(shard for shard in path.glob("*.safetensors") if SHARD_NAME.fullmatch(shard.name))


def touch(path: Path) -> None:
    """Note that a shard was used now; one that another process just removed is no harm."""
    try:
        os.utime(path, (time.time(), time.time()))
    except OSError:
        return


def bytes_of(path: Path) -> int:
    """Size of a file; 0 for one that another process just removed."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def last_used(path: Path) -> float:
    """When a shard was written or last opened by a stage, seconds since 1970."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def count_entries(path: Path) -> int:
    """The number of entries of a shard by its header alone; 0 if it cannot be read."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            return int(json.loads(file.read(length))["keys"]["shape"][0])
    except (OSError, ValueError, KeyError, struct.error, MemoryError, OverflowError):
        return 0


def _lock(file: IO[str], *, shared: bool, wait: bool) -> bool:
    """Lock an open file until it is closed; whether it is locked. A process that dies leaves no lock behind."""
    try:
        import fcntl
    except ImportError:  # no such locks on Windows: there only one process at a time may use a cache
        return True
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True
