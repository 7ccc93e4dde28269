"""Parameters of a row, counted in a process of its own, so that planning needs no torch."""

from __future__ import annotations

import json
import subprocess
import sys

from janus_bench.study.plan import Plan, Row

SECONDS = 600


def count_parameters(plan: Plan, row: Row) -> dict[str, int] | None:
    """``total`` and ``trained``, a shared module once; None where the model cannot be built."""
    asked = json.dumps({"recipe": str(plan.recipe), "sets": row.sets})
    command = [sys.executable, "-m", "janus_bench.study.count"]
    try:
        ended = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=SECONDS, check=True)
        found: dict[str, int] = json.loads(ended.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, ValueError, IndexError):
        return None
    return found
