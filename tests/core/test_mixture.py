"""Which sample comes when."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import islice

import pytest

from janus_core.config.recipe import SourceShare
from janus_core.data.mixture import Draw, Mixture, SamplePlan, keyed_uniform, sample_index

JANUS = {"understanding": 35.0, "text": 20.0, "generation": 45.0}  # made up, uneven
DATA = {
    "understanding": {"a": SourceShare(weight=1), "b": SourceShare(weight=2)},
    "text": {"t": SourceShare()},
    "generation": {"g": SourceShare(), "h": SourceShare(weight=0), "a": SourceShare(weight=3)},
}


def mixture() -> Mixture:
    return Mixture(JANUS, DATA)  # type: ignore[arg-type]


def flat(plan: SamplePlan) -> list[Draw]:
    return [draw for batch in plan for draw in batch]


@pytest.mark.parametrize("ratios", [(35, 20, 45), (7, 3, 10), (1, 0, 1), (1, 1, 1), (0.1, 0.2, 0.7), (5, 0, 0)])
def test_ratios_are_exact(ratios: tuple[float, ...]) -> None:
    tasks = dict(zip(("understanding", "text", "generation"), ratios, strict=True))
    data = {task: {"s": SourceShare()} for task in tasks}
    counts: Counter[str] = Counter()
    for n, draw in enumerate(islice(Mixture(tasks, data).draws(), 400), start=1):  # type: ignore[arg-type]
        counts[draw.task] += 1
        for task, ratio in tasks.items():
            assert abs(counts[task] - n * ratio / sum(ratios)) < 1, (n, task)


def test_ratios_are_whole_after_a_whole_turn() -> None:
    counts = Counter(draw.task for draw in islice(mixture().draws(), 200))
    assert counts == {"understanding": 70, "text": 40, "generation": 90}


def test_sources_within_a_task_are_exact_too_and_zero_is_never_drawn() -> None:
    counts = Counter((draw.task, draw.source) for draw in islice(mixture().draws(), 2400))
    assert counts["understanding", "a"] == 280
    assert counts["understanding", "b"] == 560
    assert counts["generation", "g"] == 270
    assert counts["generation", "a"] == 810
    assert ("generation", "h") not in counts


def test_a_source_of_two_tasks_is_counted_once() -> None:
    numbers = [draw.number for draw in islice(mixture().draws(), 500) if draw.source == "a"]
    assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize("start", [0, 1, 5, 12, 13])
@pytest.mark.silent_failure(13)
def test_resuming_at_a_step_gives_the_same_draws(start: int) -> None:
    """Row 13."""
    whole = list(SamplePlan(mixture(), 4, 13))
    assert list(SamplePlan(mixture(), 4, 13, start)) == whole[start:]
    assert len(SamplePlan(mixture(), 4, 13, start)) == 13 - start


@pytest.mark.parametrize("batch_size", [1, 3, 8])
@pytest.mark.silent_failure(25)
def test_draws_do_not_depend_on_the_batch_size(batch_size: int) -> None:
    """Row 25: nor do they on the number of processes, because the order is a function of the position alone."""
    assert flat(SamplePlan(mixture(), batch_size, 24 // batch_size)) == flat(SamplePlan(mixture(), 24, 1))


@pytest.mark.parametrize("length", [1, 7, 100])
@pytest.mark.silent_failure(16)
def test_an_epoch_is_a_permutation(length: int) -> None:
    """Row 16: a data set of 7 works, whatever the batch size."""
    epochs = [[sample_index(0, "s", e * length + i, length) for i in range(length)] for e in range(3)]
    assert all(sorted(epoch) == list(range(length)) for epoch in epochs)
    if length == 100:
        assert epochs[0] != epochs[1] != epochs[2]


def test_the_order_is_keyed_by_seed_and_source() -> None:
    def order(seed: int, source: str) -> list[int]:
        return [sample_index(seed, source, i, 50) for i in range(50)]

    assert order(0, "s") == order(0, "s")
    assert order(0, "s") != order(1, "s")
    assert order(0, "s") != order(0, "t")


@pytest.mark.silent_failure(25)
def test_sample_ids_are_a_matter_of_record() -> None:
    """Row 25: a change of these numbers changes every run that was ever made."""
    assert [sample_index(0, "s", i, 7) for i in range(7)] == [2, 5, 4, 3, 0, 1, 6]


def test_keyed_uniform_is_uniform_and_keyed() -> None:
    values = [keyed_uniform("condition", 0, "s", i) for i in range(4000)]
    assert all(0 <= value < 1 for value in values)
    assert abs(float(Fraction(sum(value < 0.1 for value in values), 4000)) - 0.1) < 0.02
    assert keyed_uniform("a", 1) == keyed_uniform("a", 1) != keyed_uniform("a", 2)
