"""The folder of a cell and its state, a file that is written whole or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, ValidationError

from janus_bench.study.failure import Reason
from janus_core.checkpoints.atomic import atomic_file

CELLS = "cells"


class CellState(BaseModel):
    """What is known of a cell.

    Attributes:
        status: ``partial`` is begun and neither done nor failed: it was interrupted, or runs now.
        sets: the settings that it was begun with.
        trained: whether its run is complete.
        seconds: wall clock by command, over all attempts that ended.
        parameters: ``total`` and ``trained``, a shared module once.
        versions: of what the result depends on.
        provenance: of the components that its run was made of, see `janus_core.config.provenance`.
    """

    id: str
    row: str
    seed: int
    recipe: str
    sets: list[str]
    status: Literal["partial", "done", "failed"] = "partial"
    trained: bool = False
    reason: Reason | None = None
    began: str = ""
    ended: str = ""
    attempts: int = 0
    seconds: dict[str, float] = Field(default_factory=dict)
    parameters: dict[str, int] | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    provenance: dict[str, dict[str, str]] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CellFolder:
    """Paths of a cell."""

    root: Path

    @property
    def state(self) -> Path:
        return self.root / "cell.json"

    @property
    def log(self) -> Path:
        return self.root / "log.txt"

    @property
    def run(self) -> Path:
        return self.root / "run"

    def provenance(self) -> dict[str, dict[str, str]]:
        """The components that its run was made of, as the run's record says."""
        record = self.run / "run.json"
        found: dict[str, dict[str, str]] = {}
        return json.loads(record.read_text(encoding="utf-8"))["provenance"] if record.is_file() else found

    def benchmark(self, name: str) -> Path:
        """Where a benchmark writes; it is there whole or not at all."""
        return self.root / "benchmarks" / name.replace("/", "-")

    def read(self) -> CellState | None:
        """Its state; None if it was never begun or its file is damaged, so that it begins anew."""
        try:
            return CellState.model_validate_json(self.state.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValidationError, UnicodeDecodeError):
            return None

    def write(self, state: CellState) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        with atomic_file(self.state) as partial:
            partial.write_text(state.model_dump_json(indent=2), encoding="utf-8")


def cell_folder(study: Path, cell: str) -> CellFolder:
    """The folder of the cell of this id."""
    return CellFolder(study / CELLS / cell)


def done_cells(study: Path) -> frozenset[str]:
    """Ids of the cells that are done in the folder of a study."""
    folders = [CellFolder(path) for path in (study / CELLS).glob("*")]
    return frozenset(f.root.name for f in folders if (state := f.read()) is not None and state.status == "done")
