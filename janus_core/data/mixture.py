"""Which sample comes when: a pure function of the seed and the position, so that a run resumes at the exact sample."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count, islice
from typing import TypeVar

import numpy as np

from janus_core.config.recipe import SourceShare
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
        tasks: ratio of each task, in samples.
        sources: shares of the sources of each task.
        batch_size: samples a step; the windows of the sources count steps.
    """

    def __init__(
        self, tasks: Mapping[Task, float], sources: Mapping[Task, Mapping[str, SourceShare]], batch_size: int = 1
    ) -> None:
        self._tasks = {task: ratio for task, ratio in tasks.items() if ratio > 0}
        self._sources, self._batch_size = sources, batch_size

    def draws(self) -> Iterator[Draw]:
        """The draws, always the same ones: the seed decides which sample a draw is, not the order of the tasks."""
        by_task: dict[Task, int] = dict.fromkeys(self._tasks, 0)
        by_source: dict[tuple[Task, str], int] = {}
        open_before: dict[Task, frozenset[str]] = {}
        used: dict[str, int] = {}
        for place in count():
            task = _furthest_behind(self._tasks, by_task)
            by_task[task] += 1
            shares = self._open(task, place // self._batch_size)
            if open_before.get(task) != shares.keys():  # a source that begins late owes nothing for the time before
                open_before[task] = frozenset(shares)
                by_source |= {(task, name): 0 for name in shares}
            source = _furthest_behind(shares, {name: by_source[task, name] for name in shares})
            by_source[task, source] += 1
            yield Draw(task, source, used.get(source, 0))
            used[source] = used.get(source, 0) + 1

    def _open(self, task: Task, step: int) -> dict[str, float]:
        return {
            name: share.weight
            for name, share in self._sources[task].items()
            if share.weight > 0 and share.first_step <= step and (share.last_step is None or step < share.last_step)
        }


def _furthest_behind(ratios: Mapping[Key, float], counts: Mapping[Key, int]) -> Key:
    """The key that lies furthest below its share if one more is drawn; the first of equals."""
    total, drawn = sum(ratios.values()), sum(counts.values()) + 1
    return max(ratios, key=lambda key: ratios[key] / total * drawn - counts[key])


class SamplePlan:
    """The samples of each step, this process' part of them: the loader's batch sampler where a step counts samples.

    The samples of a step do not depend on the number of processes; each takes a run of neighbours, so that every
    process has about the same mixture.
    """

    def __init__(
        self, mixture: Mixture, batch_size: int, steps: int, start: int = 0, rank: int = 0, world: int = 1
    ) -> None:
        self._mixture, self._batch_size, self._steps, self._start = mixture, batch_size, steps, start
        self._from, self._to = batch_size * rank // world, batch_size * (rank + 1) // world

    def __len__(self) -> int:
        return self._steps - self._start

    def __iter__(self) -> Iterator[list[Draw]]:
        draws = self._mixture.draws()
        for step in range(self._steps):
            batch = [next(draws) for _ in range(self._batch_size)]
            if step >= self._start:
                yield batch[self._from : self._to]


class StreamPlan:
    """An endless stream of this process' samples, a few at a time, for rows that are filled up to a token budget.

    Args:
        skip: how many of this process' samples were taken before.
        first: samples to give once more before them, by their place in the stream, rising.
    """

    CHUNK = 8

    def __init__(
        self, mixture: Mixture, *, rank: int = 0, world: int = 1, skip: int = 0, first: Sequence[int] = ()
    ) -> None:
        self._mixture, self._rank, self._world, self._skip, self._first = mixture, rank, world, skip, tuple(first)

    def __iter__(self) -> Iterator[list[Draw]]:
        mine = islice(self._mixture.draws(), self._rank, None, self._world)
        waiting = [draw for place, draw in enumerate(islice(mine, self._skip)) if place in self._first]
        if waiting:
            yield waiting
        while True:
            yield list(islice(mine, self.CHUNK))


def sample_index(seed: int, source: str, number: int, length: int) -> int:
    """Which sample of a source its ``number``-th draw is: every epoch is a permutation keyed by seed, source, epoch."""
    epoch, at = divmod(number, length)
    return int(_permutation(seed, source, epoch, length)[at])


def keyed_seed(*key: object) -> int:
    """A whole number below 2**56 that depends on the key alone."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, key)).encode()).digest()[:7], "big")


def keyed_uniform(*key: object) -> float:
    """A number in [0, 1) that depends on the key alone."""
    return keyed_seed(*key) / 2**56


@lru_cache(maxsize=16)
def _permutation(seed: int, source: str, epoch: int, length: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    key = int.from_bytes(hashlib.sha256(f"{seed}/{source}/{epoch}".encode()).digest()[:8], "big")
    return np.random.Generator(np.random.Philox(key)).permutation(length)
