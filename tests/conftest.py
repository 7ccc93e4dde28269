"""One thread, no JANUS_* settings from outside, and the helper of tiny recipes for every test."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

os.environ["OMP_NUM_THREADS"] = "1"  # before any test module imports torch


def _helper(name: str) -> ModuleType:
    """A file beside this one as a module: test folders are no packages."""
    full = f"janus_tests_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[full] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[full])
    return sys.modules[full]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own JANUS_* variables change no test, and torch takes one thread."""
    for name in [name for name in os.environ if name.startswith("JANUS_")]:
        monkeypatch.delenv(name)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    """Recipes in which every part is its `tiny` preset; see tests/tiny.py."""
    return _helper("tiny")


@pytest.fixture(scope="session")
def recorder() -> ModuleType:
    """Writes down what a training run does; see tests/recorder.py."""
    return _helper("recorder")
