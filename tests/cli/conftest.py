from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

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
