"""The points of a run from which it can be continued: the latest few are kept, a damaged one is passed over."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import lightning
import torch

from janus_core.checkpoints.atomic import atomic_file
from janus_core.config.provenance import Provenance
from janus_core.data.steps import Place
from janus_core.training.processes import rank_and_world, wait_for_all


@dataclass(frozen=True, slots=True)
class Point:
    """What stands beside a point's file.

    Attributes:
        stage: name of its stage; ``step``: steps of it that are done.
        processes, threads: of the run that wrote it: with as many it is continued bit by bit.
        sha256: of the file.
        provenance: the components that wrote it, see `janus_core.config.provenance`; empty in old points.
    """

    file: str
    stage: str
    step: int
    processes: int
    threads: int
    sha256: str
    provenance: Provenance = field(default_factory=dict)


class Points(lightning.Callback):
    """Saves a point every so many steps and keeps the latest.

    Args:
        folder: for the files; each is written whole or not at all, and what describes it after it.
        keep: how many of the latest stay.
        provenance: stands in each, see `Point`.
    """

    def __init__(self, folder: Path, stage: str, every: int, keep: int, provenance: Provenance | None = None) -> None:
        self._provenance = provenance or {}
        self._folder, self._stage, self._every, self._keep = folder, stage, every, keep
        self._saved = -1

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        if trainer.global_step % self._every == 0 and trainer.global_step < (trainer.max_steps or 0):
            self.save(trainer)

    def save(self, trainer: lightning.Trainer) -> None:
        """Save a point now, unless this step has one; every process must call it."""
        if trainer.global_step == self._saved:
            return
        self._saved = trainer.global_step
        for logger in trainer.loggers:  # what is told of the steps before the point outlives a kill, too
            logger.save()
        name = f"{self._stage}-{trainer.global_step:08d}.ckpt"
        rank, world = rank_and_world()
        with atomic_file(self._folder / name, here=rank == 0) as partial:
            trainer.save_checkpoint(partial)
        if rank == 0:
            point = Point(
                name,
                self._stage,
                trainer.global_step,
                world,
                torch.get_num_threads(),
                _digest(self._folder / name),
                self._provenance,
            )
            with atomic_file(_facts(self._folder / name)) as partial:
                partial.write_text(json.dumps(asdict(point), indent=2), encoding="utf-8")
            for old in points_of(self._folder)[self._keep :]:
                remove(self._folder, old)
        wait_for_all()


def points_of(folder: Path, stage: str | None = None) -> list[Point]:
    """The points in a folder, the latest first; those of one stage, if it is named.

    One whose description is damaged is left out.
    """
    found = [point for path in folder.glob("*.ckpt.json") if (point := _described(path)) is not None]
    found = [point for point in found if stage is None or point.stage == stage]
    return sorted(found, key=lambda point: (_facts(folder / point.file).stat().st_mtime_ns, point.step), reverse=True)


def sound_point(folder: Path, stage: str, say: Callable[[str], None]) -> Point | None:
    """The latest point of a stage whose file is whole; a damaged one is told of and passed over."""
    for path in sorted(folder.glob("*.ckpt.json")):
        if _described(path) is None:
            say(f"{path} is damaged and passed over: it does not describe a point")
    for point in points_of(folder, stage):
        path = folder / point.file
        if path.is_file() and _digest(path) == point.sha256:
            return point
        say(f"{path} is damaged and passed over: its content is not what was written (sha256)")
    return None


def remove(folder: Path, point: Point) -> None:
    """Remove a point: first what describes it, so that it is never taken for a whole one."""
    _facts(folder / point.file).unlink(missing_ok=True)
    (folder / point.file).unlink(missing_ok=True)


def place_in(path: Path, rank: int) -> Place | None:
    """Where the stream of samples of a process stood when the point was saved."""
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    places = state["janus"]["places"]
    found = places[rank] if rank < len(places) else None
    return Place(**found) if found is not None else None


def _described(path: Path) -> Point | None:
    try:
        return Point(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        return None


def _facts(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
