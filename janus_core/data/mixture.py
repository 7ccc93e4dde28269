"""Which sample comes when: a pure function of the seed and the position, so that a run resumes at the exact sample."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np

from janus_core.interfaces import Task

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Draw:
    """The ``number``-th sample taken from a source for a task, counted from 0 over the whole stage."""

    task: Task
    source: str
    number: int


class Mixture:
    """An endless order of draws in exact ratio; after n draws no task is off by a whole sample.

    Args:
        tasks: ratio of each task.
        sources: weights of the sources of each task.
    """

    def __init__(self, tasks: Mapping[Task, float], sources: Mapping[Task, Mapping[str, float]]) -> None:
        self._tasks = {task: ratio for task, ratio in tasks.items() if ratio > 0}
        self._sources = sources

    def draws(self) -> Iterator[Draw]:
        """The draws, always the same ones: the seed decides which sample a draw is, not the order of the tasks."""
        by_task: dict[Task, int] = dict.fromkeys(self._tasks, 0)
        by_source: dict[tuple[Task, str], int] = {}
        used: dict[str, int] = {}
        while True:
            task = _furthest_behind(self._tasks, by_task)
            by_task[task] += 1
            counts = {name: by_source.get((task, name), 0) for name, w in self._sources[task].items() if w > 0}
            source = _furthest_behind({name: self._sources[task][name] for name in counts}, counts)
            by_source[task, source] = counts[source] + 1
            yield Draw(task, source, used.get(source, 0))
            used[source] = used.get(source, 0) + 1


def _furthest_behind(ratios: Mapping[Key, float], counts: Mapping[Key, int]) -> Key:
    """The key that lies furthest below its share if one more is drawn; the first of equals."""
    total, drawn = sum(ratios.values()), sum(counts.values()) + 1
    return max(ratios, key=lambda key: ratios[key] / total * drawn - counts[key])


class BatchPlan:
    """The batches of a stage as lists of draws, from a step on: the loader's batch sampler.

    Its length is that of the whole stage also when it starts later, as Lightning counts on when it resumes.
    """

    def __init__(self, mixture: Mixture, batch_size: int, steps: int, start: int = 0) -> None:
        self._mixture, self._batch_size, self._steps, self._start = mixture, batch_size, steps, start

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[list[Draw]]:
        draws = self._mixture.draws()
        for step in range(self._steps):
            batch = [next(draws) for _ in range(self._batch_size)]
            if step >= self._start:
                yield batch


def sample_index(seed: int, source: str, number: int, length: int) -> int:
    """Which sample of a source its ``number``-th draw is: every epoch is a permutation keyed by seed, source, epoch."""
    epoch, at = divmod(number, length)
    return int(_permutation(seed, source, epoch, length)[at])


def keyed_uniform(*key: object) -> float:
    """A number in [0, 1) that depends on the key alone."""
    digest = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


@lru_cache(maxsize=16)
def _permutation(seed: int, source: str, epoch: int, length: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    key = int.from_bytes(hashlib.sha256(f"{seed}/{source}/{epoch}".encode()).digest()[:8], "big")
    return np.random.Generator(np.random.Philox(key)).permutation(length)
