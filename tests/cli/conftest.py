from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

NAME = "registry_tests_throwaway"
if NAME not in sys.modules:  # test folders are no packages: the helper is loaded by its path
    spec = importlib.util.spec_from_file_location(NAME, Path(__file__).parents[1] / "registry" / "throwaway.py")
    assert spec is not None
    assert spec.loader is not None
    sys.modules[NAME] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[NAME])


@pytest.fixture
def shelf(tmp_path: Path) -> object:
    """A folder of throw-away distributions, for sub-processes (it is not on this process's path)."""
    return sys.modules[NAME].Shelf(tmp_path / "site")


@pytest.fixture
def run_janus(shelf: Any, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs ``janus`` in a process of its own that sees the shelf, with no JANUS_* setting but those given."""

    def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("JANUS")}
        clean |= {"PYTHONPATH": str(shelf.folder), "HOME": str(tmp_path / "home"), **environ}
        return subprocess.run(
            [sys.executable, "-m", "janus_core", *arguments],
            env=clean,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run
