"""Running a study: what is missing and nothing else, failures recorded, stops, kills and locks survived."""

from __future__ import annotations

import csv
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import janus_bench.study.run
from janus_bench.run_folder import begin
from janus_bench.stored import About, card_folder, write_card
from janus_bench.study.cell_folder import CellState, cell_folder, done_cells
from janus_bench.study.failure import reason
from janus_bench.study.lock import locked
from janus_bench.study.plan import Plan, make_plan, read_study
from janus_bench.study.report import write_report
from janus_bench.study.run import Stopped, run_study
from janus_bench.study.runner import LocalProcesses
from janus_core.errors import UserError
from janus_core.scores import ScoreCard, ScoredItem, share

ROWS = {"a": {}, "b": {"stages.one.learning_rate": 0.5}, "c": {"stages.one.learning_rate": 0.25}}
MADE_BY = {"language_model": {"component": "llama/llama", "distribution": "d", "version": "1", "code_sha256": "0"}}


class Made:
    """A runner that trains nothing and writes the results that a benchmark would write.

    Attributes:
        troubles: (row, command) -> exit code and last words of the first attempt, or an exception.
        ran: (row, seed, command) of everything that was asked.
    """

    def __init__(self, rows: dict[str, tuple[str, int]]) -> None:
        self.rows = rows
        self.troubles: dict[tuple[str, str], Any] = {}
        self.ran: list[tuple[str, int, str]] = []

    def run(self, arguments: Sequence[str], log: Path, lock: int) -> int:
        row, seed = self.rows[log.parent.name]
        command = arguments[0]
        self.ran.append((row, seed, command))
        os.fstat(lock)
        trouble = self.troubles.pop((row, command), None)
        if isinstance(trouble, BaseException):
            raise trouble
        if trouble is not None:
            with log.open("a") as file:
                file.write(trouble[1])
            return int(trouble[0])
        if command == "train":
            (log.parent / "run").mkdir(exist_ok=True)
            (log.parent / "run" / "run.json").write_text(json.dumps({"provenance": MADE_BY}))
        if command == "bench":
            write_scores(Path(arguments[arguments.index("--out") + 1]), ord(row[-1]) - 97 + seed)
        return 0


def write_scores(folder: Path, right: int) -> None:
    """Results as `janus bench run` writes them: 10 questions, of which so many were answered right."""
    sides = (("understanding", "answers"), ("generation", "drawn objects"))
    card = ScoreCard("openmoji_scenes", "openmoji_scenes@exact", 1, [])
    for task, name in sides:
        card.scores.append(share(name, right, 10, task=task))  # type: ignore[arg-type]
        for i in range(10):
            worth = int(i < right)
            card.items.append(ScoredItem(f"{task}-{i}", str(i), float(worth), facts={"counts": {name: [worth, 1]}}))
    begin(folder, {}, {card.protocol: {}})
    write_card(card_folder(folder, card.protocol), card, About("made"))


@pytest.fixture
def plan(tiny: ModuleType, tmp_path: Path) -> Plan:
    tiny.write(tiny.recipe("both"), tmp_path / "tiny.yaml")
    study = {"name": "s", "recipe": "tiny.yaml", "benchmarks": ["openmoji_scenes"], "limit": 1, "seeds": [0, 1]}
    path = tiny.write(study | {"axes": {"row": ROWS}}, tmp_path / "study.yaml")
    return make_plan(read_study(path), path.parent)


@pytest.fixture(autouse=True)
def _no_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(janus_bench.study.run, "count_parameters", lambda plan, row: {"total": 7, "trained": 3})


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command takes 30 seconds: each look at the clock finds it 30 seconds later."""
    looks = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: 30.0 * next(looks), strftime=time.strftime)
    monkeypatch.setattr(janus_bench.study.run, "time", clock)


def named(plan: Plan) -> dict[str, tuple[str, int]]:
    return {cell: (row.name, seed) for cell, (row, seed) in plan.cells.items()}


def state(plan: Plan, out: Path, row: str, seed: int) -> CellState:
    cell = next(cell for cell, found in named(plan).items() if found == (row, seed))
    found = cell_folder(out, cell).read()
    assert found is not None
    return found


def scores(out: Path) -> list[tuple[str, ...]]:
    """What the cells scored, without what they took."""
    write_report(out)
    lines = csv.DictReader((out / "report.csv").read_text(encoding="utf-8").splitlines())
    return [tuple(value for key, value in line.items() if not key.endswith("seconds")) for line in lines]


def test_every_cell_trains_then_is_measured_and_is_not_run_again(plan: Plan, tmp_path: Path) -> None:
    runner, said = Made(named(plan)), list[str]()
    assert run_study(plan, tmp_path / "out", runner, say=said.append) == []
    assert runner.ran == [(row, seed, command) for seed in (0, 1) for row in "abc" for command in ("train", "bench")]
    assert done_cells(tmp_path / "out") == plan.cells.keys()
    found = state(plan, tmp_path / "out", "b", 1)
    assert (found.status, found.seconds) == ("done", {"train": 30.0, "bench openmoji_scenes": 30.0})
    assert found.parameters == {"total": 7, "trained": 3}
    assert {"python", "torch", "janus-umm"} <= found.versions.keys()
    assert found.provenance == MADE_BY
    assert "cell 1 of 6" in said[1]
    assert "about 5.0 min left for 5 cells" in said[2]
    again = Made(named(plan))
    assert run_study(plan, tmp_path / "out", again) == []
    assert again.ran == []


def test_a_failure_is_recorded_and_the_others_run(plan: Plan, tmp_path: Path) -> None:
    runner, out = Made(named(plan)), tmp_path / "out"
    runner.troubles["b", "train"] = (2, "janus train: error: no such file\n  to mend it: look\n")
    runner.troubles["c", "bench"] = (1, "Traceback\nRuntimeError: DefaultCPUAllocator: can't allocate memory\n")
    failed = run_study(plan, out, runner)
    assert [named(plan)[cell] for cell in failed] == [("b", 0), ("c", 0)]
    assert len(done_cells(out)) == 4
    first, second = (state(plan, out, row, 0).reason for row in "bc")
    assert first is not None
    assert (first.kind, first.command, first.code) == ("refused", "train", 2)
    assert "no such file" in first.detail
    assert second is not None
    assert (second.kind, second.command) == ("out of memory", "bench openmoji_scenes")
    report = write_report(out)
    assert "b seed 0" in report
    assert "no such file" in report
    assert "| 1, 1 failed |" in report
    again = Made(named(plan))
    assert run_study(plan, out, again) == failed  # a failure stays one until it is asked for
    assert again.ran == []
    assert run_study(plan, out, again, retry_failed=True) == []
    assert again.ran == [("b", 0, "train"), ("b", 0, "bench"), ("c", 0, "bench")]  # what was trained is trained
    assert state(plan, out, "b", 0).attempts == 2
    assert "failed" not in write_report(out)


def test_an_interrupt_stops_and_the_next_run_does_only_the_missing(plan: Plan, tmp_path: Path) -> None:
    runner, out = Made(named(plan)), tmp_path / "out"
    runner.troubles["b", "bench"] = KeyboardInterrupt()
    with pytest.raises(Stopped):
        run_study(plan, out, runner)
    assert runner.ran == [("a", 0, "train"), ("a", 0, "bench"), ("b", 0, "train"), ("b", 0, "bench")]
    assert state(plan, out, "b", 0).status == "partial"
    assert "Cells that have not run" in write_report(out)
    again = Made(named(plan))
    assert run_study(plan, out, again) == []
    assert again.ran[:2] == [("b", 0, "bench"), ("c", 0, "train")]
    whole = tmp_path / "whole"
    run_study(plan, whole, Made(named(plan)))
    assert scores(out) == scores(whole)
    assert state(plan, out, "b", 0).seconds["bench openmoji_scenes"] == 60  # both attempts
    assert "begun more than once" in write_report(out)
    assert "begun more than once" not in write_report(whole)


def test_a_cell_that_was_interrupted_alone_stops_the_study(plan: Plan, tmp_path: Path) -> None:
    runner = Made(named(plan))
    runner.troubles["a", "train"] = (130, "stopped and saved\n")
    with pytest.raises(Stopped):
        run_study(plan, tmp_path / "out", runner)
    assert state(plan, tmp_path / "out", "a", 0).status == "partial"


def test_a_damaged_state_begins_its_cell_anew(plan: Plan, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_study(plan, out, Made(named(plan)))
    cell = next(iter(plan.cells))
    cell_folder(out, cell).state.write_text('{"id": ')
    again = Made(named(plan))
    assert run_study(plan, out, again) == []
    assert again.ran == [("a", 0, "train")]  # its benchmark was whole


def test_two_runs_in_one_folder_are_refused(plan: Plan, tmp_path: Path) -> None:
    with locked(tmp_path / "out"), pytest.raises(UserError, match=f"process {os.getpid()}"):
        run_study(plan, tmp_path / "out", Made(named(plan)))
    assert run_study(plan, tmp_path / "out", Made(named(plan))) == []


@pytest.mark.parametrize(
    ("code", "printed", "kind", "detail"),
    [
        (2, "x\njanus train: error: two\n  lines\n  to mend it: do\n", "refused", "two lines to mend it: do"),
        (1, "Traceback (most recent call last):\n  File\nValueError: odd\n", "crashed", "ValueError: odd"),
        (1, "torch.OutOfMemoryError: CUDA out of memory. Tried\n", "out of memory", "CUDA"),
        (-9, "step 3\n", "killed", "SIGKILL"),
        (-15, "", "killed", "SIGTERM"),
        (3, "", "crashed", "printed nothing"),
    ],
)
def test_reasons(code: int, printed: str, kind: str, detail: str, tmp_path: Path) -> None:
    before = "janus train: error: of an earlier attempt\n"
    (tmp_path / "log").write_text(before + printed)
    found = reason("train", code, tmp_path / "log", len(before))
    assert found.kind == kind
    assert detail in found.detail


SLEEPER = """
import signal, sys, time
from pathlib import Path
def stop(number, frame):
    Path(sys.argv[1], "stopped").write_text("saved")
    sys.exit(130)
signal.signal(signal.SIGINT, stop)
Path(sys.argv[1], "running").write_text(str(__import__("os").getpid()))
time.sleep(60)
"""
STUDY = """
import sys
from pathlib import Path
from janus_bench.study.lock import locked
from janus_bench.study.run import _interruptible
from janus_bench.study.runner import LocalProcesses
folder = Path(sys.argv[1])
with locked(folder) as lock, _interruptible():
    LocalProcesses((sys.executable, str(folder / "sleeper.py"))).run([str(folder)], folder / "log", lock)
"""


@pytest.fixture
def sleeping(tmp_path: Path) -> Any:
    """A study process (in the background of a shell: deaf to SIGINT) whose command sleeps; (process, command's id)."""
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    study = subprocess.Popen(
        [sys.executable, "-c", STUDY, str(tmp_path)],
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        stderr=subprocess.DEVNULL,
    )
    running = tmp_path / "running"
    wait(lambda: running.is_file() and running.read_text() != "")
    yield study, int(running.read_text())
    study.kill()
    study.wait()


def wait(until: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end
        time.sleep(0.02)


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_study_stops_its_command_softly(number: int, sleeping: Any, tmp_path: Path) -> None:
    study, command = sleeping
    study.send_signal(number)
    study.wait(20)
    assert (tmp_path / "stopped").read_text() == "saved"
    assert not alive(command)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl")
def test_a_killed_study_leaves_no_orphan_and_no_lock(sleeping: Any, tmp_path: Path) -> None:
    study, command = sleeping
    with pytest.raises(UserError), locked(tmp_path):
        pass
    study.kill()
    study.wait()
    wait(lambda: not alive(command))
    with locked(tmp_path):
        pass


def test_parameters_are_counted_once_and_trained_in_any_stage(tiny: ModuleType) -> None:
    from janus_bench.study.count import count

    values = tiny.recipe("both", encoder="tokenizer_as_encoder")
    model = tiny.build(values).model
    parts = model.parts()
    shared = sum(p.numel() for p in parts["encoders.image"].parameters())
    counted = count(tiny.validated(values), Path())
    assert shared > 0
    assert counted["total"] == sum(sum(p.numel() for p in part.parameters()) for part in parts.values()) - shared
    frozen = sum(p.numel() for p in parts["generation_tokenizer"].parameters())
    assert counted["trained"] == counted["total"] - frozen
    stages = tiny.three_stages(values)
    stages["stages"] = stages["stages"][:1]
    assert 0 < count(tiny.validated(stages), Path())["trained"] < counted["trained"]


def test_a_command_ends_with_its_exit_code_and_its_words_in_the_log(tmp_path: Path) -> None:
    with locked(tmp_path) as lock:
        code = LocalProcesses().run(["train", "nothing"], tmp_path / "log", lock)
    assert code == 2
    assert "there is no recipe 'nothing'" in (tmp_path / "log").read_text()
