"""The example plugin, in a distribution of its own: it appears and trains, and nothing of ours is edited for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "janus-tones"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a machine on which the example is installed, as a user would install it."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--target", target, EXAMPLE]
    subprocess.run([str(word) for word in command], check=True)
    return os.environ | {"PYTHONPATH": str(target), "OMP_NUM_THREADS": "1"}


def janus(environment: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "janus_core", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_the_strangers_components_are_listed(environment: dict[str, str]) -> None:
    done = janus(environment, "plugins", "list", "--json")
    assert done.returncode == 0, done.stderr
    assert {"tones/tones_encoder", "tones/tones"} <= {
        item["qualified"] for item in json.loads(done.stdout)["components"]
    }


def test_the_stranger_trains_through_stages_and_answers(environment: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = janus(environment, "train", EXAMPLE / "recipe.yaml", "--out", out, "--no-progress",
                 "--set", "stages.adapt.steps=2", "--set", "stages.unify.steps=4")  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = json.loads((out / "run.json").read_text())
    assert record["provenance"]["encoders.audio"]["distribution"] == "janus-tones"
    assert "encoders.audio" in record["stages"]["adapt"]["frozen_sha256"]
    assert "encoders.audio" in record["stages"]["unify"]["trained"]
    answers = (out / "samples" / "unify-000004.md").read_text().splitlines()
    assert len(answers) == 2 + 12


def test_without_the_stranger_the_recipe_says_what_is_missing(tmp_path: Path) -> None:
    done = janus(dict(os.environ), "train", EXAMPLE / "recipe.yaml", "--out", tmp_path / "run")
    assert done.returncode == 2
    assert "tones_encoder" in done.stderr
    assert not (tmp_path / "run").exists()


def test_the_examples_own_tests_pass(environment: dict[str, str]) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--import-mode=importlib",
        str(EXAMPLE / "tests"),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=EXAMPLE)
    assert done.returncode == 0, done.stdout[-2000:]
    assert " passed" in done.stdout
