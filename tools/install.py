"""Make ``.venv`` with everything the lock names; do nothing while lock and pyproject have not changed.

Needs only Python 3.11 or later: it puts uv into the new environment and lets uv do the rest.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
STAMP = ENVIRONMENT / "janus-installed"
INPUTS = ("requirements.lock", "pyproject.toml", "tools/install.py")


def main() -> int:
    if sys.version_info < (3, 11):
        print(f"Python 3.11 or later is needed, this is {sys.version.split()[0]}: run this file with another python")
        return 2
    wanted = hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in INPUTS)).hexdigest()
    if STAMP.is_file() and STAMP.read_text() == wanted:
        return 0
    print("installing into .venv; the first time this downloads some gigabytes (torch comes with CUDA)", flush=True)
    binaries = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
    python = binaries / ("python.exe" if os.name == "nt" else "python")
    if not python.exists():
        venv.create(ENVIRONMENT, with_pip=True)
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv")
    run(python, "-m", "uv", "pip", "install", "--quiet", "--python", python, "-r", ROOT / "requirements.lock")
    run(python, "-m", "uv", "pip", "install", "--quiet", "--python", python, "--no-deps", "-e", ROOT)
    STAMP.write_text(wanted)
    return 0


def run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True, cwd=ROOT)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"installing failed: {' '.join(error.cmd)}\nmend what it says above, then run this again")
