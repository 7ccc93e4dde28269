"""What the files of a study's cells say, scores computed again from the items where the items allow it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from janus_bench.study.cell_folder import CellFolder, CellState, cell_folder
from janus_bench.study.plan import Plan, Row
from janus_bench.study.spread import Spread, spread

SIDES = ("understanding", "generation")


@dataclass(frozen=True, slots=True)
class Measured:
    """One score of one cell.

    Attributes:
        right, of: counts.
        recomputed: whether they were added up from the items, or taken from the table of scores.
    """

    benchmark: str
    name: str
    task: str | None
    right: int
    of: int
    recomputed: bool

    @property
    def value(self) -> float:
        return self.right / self.of if self.of else 0.0


@dataclass(slots=True)
class CellResult:
    """A cell that is done: its scores, and what they cost."""

    seed: int
    state: CellState
    scores: list[Measured]
    random: list[str]
    protocols: list[str]
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class RowResult:
    """A row with the cells that are done, those that failed, and the seeds that have not run."""

    row: Row
    done: list[CellResult] = field(default_factory=list)
    failed: list[CellState] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)

    def headline(self, side: str) -> list[tuple[str, str]]:
        """(benchmark, score) that stands for a side: the first of each benchmark."""
        found: dict[str, str] = {}
        for cell in self.done:
            for score in cell.scores:
                if score.task == side:
                    found.setdefault(score.benchmark, score.name)
        return list(found.items())

    def values(self, benchmark: str, name: str) -> list[Measured]:
        """A score of every cell that is done, in the order of the seeds."""
        return [s for cell in self.done for s in cell.scores if (s.benchmark, s.name) == (benchmark, name)]

    def spread(self, benchmark: str, name: str) -> Spread | None:
        """The spread of a score over the seeds; None where it was not measured."""
        values = [score.value for score in self.values(benchmark, name)]
        return spread(values) if values else None

    @property
    def random(self) -> list[str]:
        """Parts with weights that are random and were never trained."""
        return sorted({name for cell in self.done for name in cell.random})

    def parameters(self, name: str) -> int | None:
        """``total`` or ``trained``; None if they were not counted."""
        counted = [c.state.parameters or {} for c in self.done]
        return next((counts[name] for counts in counted if name in counts), None)

    def seconds(self, command: str) -> Spread | None:
        """Wall clock of ``train`` or ``bench`` over the cells."""
        sums = [sum(s for name, s in c.state.seconds.items() if name.split()[0] == command) for c in self.done]
        return spread(sums) if sums else None


def read_results(plan: Plan, folder: Path) -> list[RowResult]:
    """The results of every row; nothing is run, and no model is read."""
    found = []
    for row in plan.rows:
        result = RowResult(row)
        for seed, cell in row.cells.items():
            place = cell_folder(folder, cell)
            state = place.read()
            if state is None or state.status == "partial":
                result.missing.append(seed)
            elif state.status == "failed":
                result.failed.append(state)
            else:
                result.done.append(_cell(plan, place, state))
        found.append(result)
    return found


def _cell(plan: Plan, place: CellFolder, state: CellState) -> CellResult:
    result = CellResult(state.seed, state, [], [], [])
    for name in plan.benchmarks:
        folder = place.benchmark(name)
        try:
            about = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
            items = [json.loads(line) for line in (folder / "items.jsonl").read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError) as error:
            result.notes.append(f"{name}: cannot be read: {error}")
            continue
        result.protocols.append(about["protocol"])
        result.random += [part for part in about.get("random_weights", []) if part not in result.random]
        for stored in about["scores"]:
            result.scores.append(_score(name, stored, items))
            if (told := result.scores[-1]).recomputed and (told.right, told.of) != (stored["correct"], stored["total"]):
                result.notes.append(
                    f"{name}: the items give {told.right} of {told.of} for {told.name!r}, "
                    f"the table of scores {stored['correct']} of {stored['total']}"
                )
    return result


def _score(benchmark: str, stored: dict[str, Any], items: list[dict[str, Any]]) -> Measured:
    name, task = stored["name"], stored.get("task")
    counts = [item["counts"][name] for item in items if name in item.get("counts", {})]
    if not counts:
        return Measured(benchmark, name, task, stored["correct"], stored["total"], recomputed=False)
    right, of = (sum(column) for column in zip(*counts, strict=True))
    return Measured(benchmark, name, task, right, of, recomputed=True)
