"""What a run has seen, how fast it goes, and when it must stop."""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from janus_core.data.steps import Step
from janus_core.interfaces import TASKS, Task
from janus_core.model.janus import TaskLosses
from janus_core.sequence.assemble import Assembled

DECAY = 0.98
"""Of the running mean of each task's loss: the last fifty steps or so count."""
SETTLED = 20
"""Steps of a task before a leap of its loss counts."""


class Watch:
    """Counters of a stage; they go on when a run is resumed.

    Args:
        spike: how many times its running mean the loss of a task may reach; 0 for no limit.
        clock: seconds that only rise.
    """

    def __init__(self, spike: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._spike, self._clock, self._last = spike, clock, clock()
        self._samples: dict[Task, int] = dict.fromkeys(TASKS, 0)
        self._tokens: dict[Task, int] = dict.fromkeys(TASKS, 0)
        self._means: dict[Task, float] = {}
        self._steps: dict[Task, int] = dict.fromkeys(TASKS, 0)

    def start(self) -> None:
        """The first step begins now: what went before is not its time."""
        self._last = self._clock()

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"samples": self._samples, "tokens": self._tokens, "means": self._means, "steps": self._steps}

    def load(self, state: Mapping[str, Any]) -> None:
        """Of a checkpoint."""
        self._samples, self._tokens = dict(state["samples"]), dict(state["tokens"])
        self._means, self._steps = dict(state["means"]), dict(state["steps"])

    def seen(self, samples: Mapping[Task, int], tokens: Mapping[Task, int]) -> dict[str, float]:
        """Count a step in and give the metrics: seen by task since the stage began, speed, memory in GB (1e9 bytes)."""
        now = self._clock()
        seconds, self._last = max(now - self._last, 1e-9), now
        values: dict[str, float] = {}
        for task in TASKS:
            self._samples[task] += samples[task]
            self._tokens[task] += tokens[task]
            if self._samples[task]:
                values |= {f"samples/{task}": self._samples[task], f"tokens/{task}": self._tokens[task]}
        values["tokens_per_second"] = sum(tokens.values()) / seconds
        values["samples_per_second"] = sum(samples.values()) / seconds
        values["memory_gb"] = _peak_memory() / 1e9
        return values

    def wrong(self, losses: Mapping[Task, float], gradient_norm: float) -> str | None:
        """What is wrong with a step, or None; its losses enter the running means."""
        broken = [f"the loss of {task} is {value}" for task, value in losses.items() if not math.isfinite(value)]
        if not broken and not math.isfinite(gradient_norm):
            broken = [f"the norm of the gradient is {gradient_norm}"]
        for task, value in losses.items():
            mean = self._means.get(task, value)
            if self._spike and self._steps[task] >= SETTLED and value > self._spike * mean:
                broken.append(
                    f"the loss of {task} is {value:.4g}, more than {self._spike:g} times its running mean {mean:.4g}"
                )
            self._means[task] = DECAY * mean + (1 - DECAY) * value
            self._steps[task] += 1
        return "; ".join(broken) or None


def culprits(step: Step, losses_of: Callable[[Sequence[Assembled]], TaskLosses]) -> list[tuple[float, str]]:
    """The samples of a step with their own mean losses; sorted, the worst come first."""
    found = []
    for sample in (sample for row in step.samples for sample in row):
        losses = losses_of([sample])
        count = sum(losses.counts.values())
        value = sum(float(total) for total in losses.sums.values()) / count if count else 0.0
        rank = -value if math.isfinite(value) else -math.inf
        found.append((rank, f"{sample.id} ({sample.task}): loss {value:.4g}"))
    return found


def _peak_memory() -> float:
    """Bytes: of the GPU where there is one, else of this process."""
    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
