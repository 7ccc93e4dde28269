"""Runs the cells of a study that are not done yet, one after another; a failure stops no other cell."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from janus_bench.run_folder import finished
from janus_bench.study.cell_folder import CellFolder, CellState, cell_folder
from janus_bench.study.counting import count_parameters
from janus_bench.study.failure import reason
from janus_bench.study.lock import locked
from janus_bench.study.plan import PLAN, Plan, Row
from janus_bench.study.runner import Runner
from janus_bench.versions import versions
from janus_core.checkpoints.atomic import atomic_file
from janus_core.errors import UserError

SOFT = 130
"""Exit code of ``janus train`` when an interrupt made it save and stop."""


class Stopped(Exception):
    """An interrupt: the cell that ran has saved what it had, and the study can go on."""


def run_study(
    plan: Plan, out: Path, runner: Runner, *, retry_failed: bool = False, say: Callable[[str], None] = lambda text: None
) -> list[str]:
    """Run what is missing and return the ids of the cells that failed, earlier failures included.

    Args:
        out: folder of the study; made, or gone on with.
        retry_failed: run the cells once more that failed.
        say: takes one line of news at a time.

    Raises:
        UserError: what must be equal is not, or another run is at work in the folder.
        Stopped: an interrupt.
    """
    if plan.unmatched:
        raise UserError(
            f"study {plan.name}: what must be equal is not\n" + "\n".join(item.sentence() for item in plan.unmatched),
            "change the recipe or the axes, or write 'otherwise: report' to run it all the same",
        )
    with locked(out) as lock, _interruptible():
        with atomic_file(out / PLAN) as partial:
            partial.write_text(plan.model_dump_json(indent=2), encoding="utf-8")
        try:
            return _Study(plan, out, runner, lock, say).run(retry_failed)
        except KeyboardInterrupt:
            raise Stopped(f"stopped; the cell that ran keeps what it saved in {out}") from None


@dataclass(slots=True)
class _Study:
    plan: Plan
    out: Path
    runner: Runner
    lock: int
    say: Callable[[str], None]
    took: dict[str, list[float]] = field(default_factory=dict)
    """Row -> seconds of its finished cells."""

    def run(self, retry_failed: bool) -> list[str]:
        cells = self.plan.cells
        states = {cell: cell_folder(self.out, cell).read() for cell in cells}
        skipped = ("done",) if retry_failed else ("done", "failed")
        missing = [cell for cell, state in states.items() if state is None or state.status not in skipped]
        for cell, state in states.items():
            if state is not None and state.status == "done":
                self.took.setdefault(cells[cell][0].name, []).append(sum(state.seconds.values()))
        failed = [cell for cell, state in states.items() if state and state.status == "failed" and cell not in missing]
        done = len(cells) - len(missing) - len(failed)
        self.say(
            f"study {self.plan.name}: {len(missing)} of {len(cells)} cells to run, {done} done"
            + (f", {len(failed)} failed before (--retry-failed runs them once more)" if failed else "")
        )
        for number, cell in enumerate(missing, start=1):
            row, seed = cells[cell]
            name = f"cell {number} of {len(missing)}: {row.name} seed {seed} ({cell})"
            self.say(name)
            state = self._cell(cell_folder(self.out, cell), row, seed)
            if state.reason is not None:
                failed.append(cell)
                self.say(f"{name} FAILED: {state.reason.sentence()}\n  its log: {cell_folder(self.out, cell).log}")
                continue
            seconds = sum(state.seconds.values())
            self.took.setdefault(row.name, []).append(seconds)
            self.say(f"{name} done in {_minutes(seconds)}{self._left(missing[number:])}")
        return failed

    def _cell(self, folder: CellFolder, row: Row, seed: int) -> CellState:
        """Do what is missing of a cell; its state is on disk after every step."""
        begun = folder.read()
        sets = [*row.sets, f"seed={seed}"]
        state = begun or CellState(
            id=folder.root.name, row=row.name, seed=seed, recipe=str(self.plan.recipe), sets=sets, began=_now()
        )
        state.status, state.reason, state.attempts = "partial", None, state.attempts + 1
        state.row, state.versions = row.name, versions()
        folder.write(state)
        if state.parameters is None:
            row.parameters = row.parameters or count_parameters(self.plan, row)
            state.parameters = row.parameters
            folder.write(state)
        if not state.trained:
            asked = [argument for text in state.sets for argument in ("--set", text)]
            command = ["train", state.recipe, *asked, "--out", str(folder.run), "--resume", "--no-progress"]
            if not self._step(folder, state, "train", command):
                return state
            state.trained, state.provenance = True, folder.provenance()
            folder.write(state)
        for name, words in self.plan.benchmarks.items():
            target = folder.benchmark(name)
            if finished(target):
                continue
            command = ["bench", "run", *words, "--model", str(folder.run), "--out", str(target), "--no-progress"]
            if not self._step(folder, state, f"bench {name}", command):
                return state
        state.status, state.ended = "done", _now()
        folder.write(state)
        return state

    def _step(self, folder: CellFolder, state: CellState, name: str, command: list[str]) -> bool:
        """Run one command; record its seconds and, if it failed, why."""
        since = folder.log.stat().st_size if folder.log.is_file() else 0
        began = time.monotonic()
        try:
            code = self.runner.run(command, folder.log, self.lock)
        finally:  # what an interrupted attempt took counts too
            state.seconds[name] = round(state.seconds.get(name, 0) + time.monotonic() - began, 1)
            folder.write(state)
        if code == SOFT:  # someone interrupted the cell itself: that stops the study too, and is no failure
            raise KeyboardInterrupt
        if code:
            state.reason = reason(name, code, folder.log, since)
            state.status, state.ended = "failed", _now()
        folder.write(state)
        return code == 0

    def _left(self, missing: list[str]) -> str:
        """Time that the other cells will take: as long as those of their row, or as the mean of all."""
        if not missing:
            return ""
        rows = [self.plan.cells[cell][0].name for cell in missing]
        overall = [seconds for times in self.took.values() for seconds in times]
        expected = [_mean(self.took.get(row) or overall) for row in rows]
        return f"; about {_minutes(sum(expected))} left for {len(missing)} cells"


@contextmanager
def _interruptible() -> Iterator[None]:
    """Within, SIGTERM is an interrupt as Ctrl-C is, and both are heard also in the background of a shell."""
    try:
        former = [signal.signal(number, signal.default_int_handler) for number in (signal.SIGINT, signal.SIGTERM)]
    except ValueError:  # not in the main thread: no signals to catch
        yield
        return
    try:
        yield
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), former, strict=True):
            signal.signal(number, handler)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} min"


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
