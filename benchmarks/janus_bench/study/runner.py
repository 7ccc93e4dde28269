"""Where the commands of a cell run: an interface with one implementation, processes of this machine."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

PR_SET_PDEATHSIG = 1
"""Linux: the signal that a process gets when the one that started it is gone (prctl(2))."""


class Runner(Protocol):
    """Runs a command of ``janus`` to its end."""

    def run(self, arguments: Sequence[str], log: Path, lock: int) -> int:
        """Run ``janus`` with these arguments to its end; what it prints is added to the log.

        Args:
            lock: file descriptor that the command holds open, so that the study's lock outlives the study's process.

        Returns:
            Its exit code; below 0 the number of the signal that killed it.

        Raises:
            KeyboardInterrupt: it was asked to stop, saved what it had, and has ended.
        """
        ...


@dataclass(frozen=True, slots=True)
class LocalProcesses:
    """A process for each command; none outlives the study.

    Attributes:
        program: what takes the arguments.
    """

    program: tuple[str, ...] = (sys.executable, "-m", "janus_core")

    def run(self, arguments: Sequence[str], log: Path, lock: int) -> int:
        """See `Runner.run`. A second interrupt kills the command."""
        with log.open("ab") as output:
            # A session of its own: Ctrl-C in a terminal would else reach it twice, and the second stops without saving.
            process = subprocess.Popen(
                [*self.program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
                start_new_session=True,
                pass_fds=(lock,),
                preexec_fn=_tied_to(os.getpid()),
            )
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            try:
                process.wait()
            except KeyboardInterrupt:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            raise


def _tied_to(parent: int) -> Callable[[], None]:
    """What a new process does first: hear SIGINT, and die when its parent does, however that dies."""
    prctl = ctypes.CDLL(None).prctl if sys.platform.startswith("linux") else None

    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a study in the background of a shell ignores it
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it died before
                os._exit(1)

    return prepare
