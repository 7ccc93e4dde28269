"""One thread, no JANUS_* settings from outside, and the helper of tiny recipes for every test."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

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


@pytest.fixture(scope="session")
def catalogue() -> ModuleType:
    """The silent failures of other projects; see tests/catalogue.py."""
    return _helper("catalogue")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests of a GPU are skipped without one."""
    if item.get_closest_marker("gpu") is not None:
        import torch

        if not torch.cuda.is_available():
            pytest.skip(f"torch {torch.__version__} finds no GPU")


SHOWN: set[int] = set()
"""Failures of the catalogue with a test among the collected ones."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Note which failures of other projects the collected tests show, before -k and -m leave some out."""
    for item in items:
        for marker in item.iter_markers("silent_failure"):
            SHOWN.update(marker.args)
    if hasattr(config, "workeroutput"):  # a worker of xdist: the process that writes the summary collects nothing
        config.workeroutput["shown"] = sorted(SHOWN)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker of xdist has noted."""
    SHOWN.update(getattr(node, "workeroutput", {}).get("shown", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """How many of the catalogued failures have a test."""
    catalogue = _helper("catalogue")
    whole = config.args == [str(config.rootpath / "tests")] or config.args == config.getini("testpaths")
    terminalreporter.write_line(catalogue.summary(SHOWN, whole=whole))
