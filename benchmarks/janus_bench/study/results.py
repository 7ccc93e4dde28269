"""What the files of a study's cells say, counts added up again from the items where the items have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from janus_bench.statistics.intervals import Interval
from janus_bench.stored import Stored, read_run
from janus_bench.study.cell_folder import CellFolder, CellState, cell_folder
from janus_bench.study.plan import Plan, Row
from janus_bench.study.spread import Spread, spread
from janus_core.errors import UserError
from janus_core.scores import Score, ScoredItem

SIDES = ("understanding", "generation")


@dataclass(frozen=True, slots=True)
class Measured:
    """One score of one cell.

    Attributes:
        interval: that its benchmark gave it, if any.
    """

    benchmark: str
    score: Score
    interval: Interval | None = None

    @property
    def name(self) -> str:
        return self.score.name

    @property
    def value(self) -> float:
        return self.score.value


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
                if score.score.task == side:
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
        try:
            run = read_run(place.benchmark(name))
        except UserError as error:
            result.notes.append(f"{name}: {error.what}")
            continue
        for stored in run.results.values():
            _add(result, name, stored)
    return result


def _add(result: CellResult, benchmark: str, stored: Stored) -> None:
    card = stored.card
    result.protocols.append(f"{card.protocol}, version {card.version}")
    result.random += [part for part in stored.about.random_weights if part not in result.random]
    for score in card.scores:
        result.scores.append(Measured(benchmark, score, stored.intervals.get(score.name)))
        counted = _counted(score.name, card.items)
        if counted is not None and counted != (score.correct, score.total):
            result.notes.append(
                f"{benchmark}: the items give {counted[0]} of {counted[1]} for {score.name!r}, "
                f"the table of scores {score.correct} of {score.total}"
            )


def _counted(name: str, items: Sequence[ScoredItem]) -> tuple[int, int] | None:
    """What the items add up to, None if they hold no counts."""
    counts = [item.facts["counts"][name] for item in items if name in item.facts.get("counts", {})]
    if not counts:
        return None
    right, of = (sum(column) for column in zip(*counts, strict=True))
    return right, of
