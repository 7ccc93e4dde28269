"""Why a cell failed, as a class that can be counted and a line that can be read."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

Kind = Literal["refused", "out of memory", "killed", "crashed"]

MEMORY = re.compile(r"out of memory|OutOfMemoryError|can't allocate memory|MemoryError|std::bad_alloc", re.IGNORECASE)
TAIL = 20000
LONGEST = 300


class Reason(BaseModel):
    """Why a command of a cell failed.

    Attributes:
        kind: refused (a mistake that the command explains), out of memory, killed by a signal, or crashed.
        command: what ran: ``train``, or ``bench`` and a benchmark.
        code: its exit code; below 0 the number of a signal.
        detail: the last line that tells something.
    """

    kind: Kind
    command: str
    code: int
    detail: str

    def sentence(self) -> str:
        return f"{self.command} {self.kind} (exit code {self.code}): {self.detail}"


def reason(command: str, code: int, log: Path, since: int) -> Reason:
    """Read why a command failed from its exit code and from what it printed.

    Args:
        since: length of the log before the command began.
    """
    with log.open("rb") as file:
        file.seek(max(since, log.stat().st_size - TAIL))
        text = file.read().decode("utf-8", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [index for index, line in enumerate(lines) if re.match(r"janus( \w+)*: error: ", line)]
    detail = " ".join(lines[told[-1] :]) if told else lines[-1] if lines else "it printed nothing"
    kind: Kind = "refused" if code == 2 else "crashed"
    if MEMORY.search(detail):
        kind = "out of memory"
    elif code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        kind = "killed"
        detail = f"by {name}" + (", as the system does when memory runs out" if name == "SIGKILL" else "")
    return Reason(kind=kind, command=command, code=code, detail=detail[:LONGEST])
