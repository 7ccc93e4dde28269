"""``docs/your_encoder.md``, followed to the letter: every file is written, every command is run, in order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "your_encoder.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHORTER = {
    "train": ["--no-progress", "--set", "stages.unify.steps=3"],
    "bench": ["--limit", "2", "--no-progress"],
}
"""What the test adds to commands that take minutes."""
OUTSIDE = ("pip install build twine", "twine upload")
"""What the network is needed for."""


def test_the_page_works_to_the_letter(desk: Any) -> None:
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    for kind, text in blocks:
        if kind != "bash":
            name = re.match(r"# (\S+)\n", text)
            assert name is not None, f"a block that names no file: {text[:80]}"
            path = desk.folder / name[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    lines = [line for kind, text in blocks if kind == "bash" for line in text.splitlines()]
    told, waiting = "", []
    for line in lines:
        words = shlex.split(line)
        if words[0] == "janus":
            waiting.append([*words[1:], *SHORTER.get(words[1], [])])
            continue
        told += desk.janus(waiting) if waiting else ""
        waiting = []
        if words[:3] == ["pip", "install", "-e"]:
            desk.install(words[3])
        elif words[:3] == ["python", "-m", "build"]:
            built = desk.python("-m", "uv", "build", "--quiet", words[3])
            assert built.returncode == 0, built.stderr
            assert {path.suffix for path in (desk.folder / words[3] / "dist").iterdir()} >= {".whl", ".gz"}
        else:
            assert line.startswith(OUTSIDE), line
    assert waiting == []
    assert told.count("0 failed, 0 exempt") == 2
    assert len(lines) >= 12
    done = desk.python("-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "janus-mine")
    assert "mine/mine-first_patch" in done.stdout
