"""How many threads torch should use on this machine now."""

from __future__ import annotations

import os
import time

import torch


def choose_threads(wanted: int) -> int:
    """Set torch's threads to ``wanted``; 0 tries one and two on a small product and keeps the faster.

    Two threads wait for each other at every operation, so that on cores shared with another process they are several
    times slower than one; only a trial tells.
    """
    threads = wanted or (_faster() if (os.cpu_count() or 1) > 1 else 1)
    torch.set_num_threads(threads)
    return threads


def _faster() -> int:
    seconds: dict[int, float] = {}
    a, b = torch.randn(512, 256), torch.randn(256, 256)
    for threads in (1, 2, 1, 2):
        torch.set_num_threads(threads)
        start = time.perf_counter()
        for _ in range(40):
            a @ b
        seconds[threads] = min(seconds.get(threads, float("inf")), time.perf_counter() - start)
    return min(seconds, key=lambda threads: seconds[threads])
