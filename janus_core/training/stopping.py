"""Signals that end a run softly: the step under way is finished and saved."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import lightning

SOFT = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""Ctrl-C; what a scheduler sends before it takes a machine away."""


class StopSoftly(lightning.Callback):
    """While a stage trains, the first signal asks every process to stop after the step; the second stops at once.

    An interrupt within an optimiser's step would save parameters of which some have moved and some have not.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        # Taken now: while Lightning trains, its own handlers stand there, which would then outlive its trainer.
        self._former: dict[signal.Signals, Any] = {number: signal.getsignal(number) for number in SOFT}
        self._set: list[signal.Signals] = []
        self.came: list[int] = []
        self._trainer: lightning.Trainer | None = None

    def asked(self) -> bool:
        """Whether a signal came."""
        return bool(self.came)

    def on_train_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        # Not earlier: Lightning sets handlers of its own before, which broadcast from within the handler.
        self._trainer = trainer
        if threading.current_thread() is threading.main_thread():  # elsewhere there are no signals to catch
            for number in SOFT:
                signal.signal(number, self._stop)
            self._set = list(SOFT)

    def restore(self) -> None:
        """Give the handlers back that were there before."""
        for number in self._set:
            if self._former[number] is not None:  # else it was not set from Python
                signal.signal(number, self._former[number])
        self._set = []

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.came.append(number)
        if self._trainer is not None and self._trainer.world_size == 1:  # several agree at the next step
            self._trainer.should_stop = True
        self._say("stopping after this step (Ctrl-C again stops at once, without saving)")
        signal.signal(signal.SIGINT, signal.default_int_handler)


def requeue(signals: list[int], say: Callable[[str], None]) -> None:
    """Ask SLURM to run the job again if it was SLURM that stopped it; ``--resume`` in its script continues the run."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    job = f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID")
    if job is None or not {signal.SIGTERM, signal.SIGUSR1} & set(signals):
        return
    try:
        result = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True, check=False)
    except OSError as error:
        say(f"job {job} could not be put back into SLURM's queue: {error}")
        return
    say(f"job {job}: " + ("back in SLURM's queue" if result.returncode == 0 else result.stderr.strip()))
