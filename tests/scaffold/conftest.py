"""A folder in which plugins are written, installed offline and used, as on a stranger's machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

MANY = """
import json, sys
from janus_core.cli import main
for command in json.loads(sys.argv[1]):
    print("$", *command, flush=True)
    code = main(command)
    if code:
        sys.exit(f"exit code {code}: janus {' '.join(command)}")
"""


class Desk:
    """A folder, and beside it what is installed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.site = folder / "work", folder / "site"
        self.folder.mkdir()

    def install(self, distribution: str) -> None:
        """``pip install DISTRIBUTION``, from its folder and without the index."""
        words = ["-m", "uv", "pip", "install", "--quiet", "--no-deps", "--target", str(self.site)]
        subprocess.run([sys.executable, *words, str(self.folder / distribution)], check=True)

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Python with what is installed here."""
        environment = os.environ | {"PYTHONPATH": str(self.site), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)

    def janus(self, commands: Sequence[Sequence[str]]) -> str:
        """``janus`` commands one after another in one process; what they print."""
        done = self.python("-c", MANY, json.dumps(commands))
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
