"""One thread, no JANUS_* settings from outside, and the helper of tiny recipes for every test."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

os.environ["OMP_NUM_THREADS"] = "1"  # before any test module imports torch

NAME = "janus_tests_tiny"
if NAME not in sys.modules:  # test folders are no packages: the helper is loaded by its path
    spec = importlib.util.spec_from_file_location(NAME, Path(__file__).with_name("tiny.py"))
    assert spec is not None
    assert spec.loader is not None
    sys.modules[NAME] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[NAME])


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
    return sys.modules[NAME]
