"""Studies that train: a kill in the middle changes no number, and one-sided rows are measured on their side."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from janus_bench.study.cell_folder import done_cells
from janus_bench.study.report import write_report

pytestmark = pytest.mark.slow

SIDES: dict[str, Any] = {
    "sees": {
        "model.generation_tokenizer": None,
        "model.generation_adapter": None,
        "model.generation_head": None,
        "stages.one.train": ["language_model", "adapters.*"],
        "stages.one.mixture": {"understanding": 1},
        "stages.one.batch_size": 2,
    },
    "draws": {
        "model.encoders": {},
        "model.adapters": {},
        "stages.one.train": ["language_model", "generation_*", "code_table"],
        "stages.one.mixture": {"generation": 1},
        "stages.one.batch_size": 2,
        "stages.one.steps": 80,
    },
}


def write_study(tiny: ModuleType, folder: Path) -> Path:
    tiny.write(tiny.recipe("both", image_size=64, steps=5), folder / "tiny.yaml")
    values = {
        "name": "s",
        "recipe": "tiny.yaml",
        "set": {"run.checkpoint_every": 1},
        "axes": {"row": SIDES},
        "benchmarks": ["openmoji_scenes"],
        "limit": 2,
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture
def study(tiny: ModuleType, tmp_path: Path) -> Path:
    return write_study(tiny, tmp_path)


@pytest.fixture(scope="module")
def whole(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study, run without a stop."""
    folder = tmp_path_factory.mktemp("whole")
    subprocess.run(command(write_study(tiny, folder), folder / "out"), check=True, capture_output=True)
    return folder / "out"


def command(study: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "janus_core", "study", "run", str(study), "--out", str(out)]


def numbers(out: Path) -> list[tuple[str, ...]]:
    """What the cells scored, without what they took."""
    write_report(out)
    lines = csv.DictReader((out / "report.csv").read_text(encoding="utf-8").splitlines())
    return [tuple(v for k, v in line.items() if not k.endswith("seconds")) for line in lines]


def saved(out: Path) -> bool:
    """Whether a cell that is not done has a point to resume from."""
    done = done_cells(out)
    return any(path.parents[2].name not in done for path in out.glob("cells/*/run/points/*"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_study_that_was_stopped_in_the_middle_gives_the_same_table(
    number: int, study: Path, whole: Path, tmp_path: Path
) -> None:
    stopped = tmp_path / "stopped"
    process = subprocess.Popen(command(study, stopped), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    end = time.monotonic() + 300
    while not (len(done_cells(stopped)) == 1 and saved(stopped)):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    os.kill(process.pid, number)
    assert process.wait(120) == (130 if number == signal.SIGINT else -number)
    first = done_cells(stopped)
    assert len(first) == 1
    log = next((stopped / "cells" / cell / "log.txt").stat() for cell in first)
    ended = subprocess.run(command(study, stopped), check=True, capture_output=True, text=True)
    assert "1 of 2 cells to run, 1 done" in ended.stderr
    assert next((stopped / "cells" / cell / "log.txt").stat() for cell in first).st_mtime_ns == log.st_mtime_ns
    (other,) = done_cells(stopped) - first
    assert "resuming at step" in (stopped / "cells" / other / "log.txt").read_text(encoding="utf-8")
    assert numbers(stopped) == numbers(whole)


def test_a_failing_row_stops_no_other(study: Path, tmp_path: Path) -> None:
    values = yaml.safe_load(study.read_text())
    bad = {**SIDES["sees"], "model.encoders.image.options.weights": "nowhere.safetensors"}
    study.write_text(yaml.safe_dump(values | {"axes": {"row": {"bad": bad, "sees": SIDES["sees"]}}}, sort_keys=False))
    ended = subprocess.run(command(study, tmp_path / "out"), check=False, capture_output=True, text=True)
    assert ended.returncode == 1
    report = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "train refused (exit code 2)" in report
    assert "nowhere.safetensors" in report
    assert len(done_cells(tmp_path / "out")) == 1
    assert "sees (RANDOM)" in report
