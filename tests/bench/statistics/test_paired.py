"""Two runs on the same items, several seeds, families of tests."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from janus_bench.statistics.family import holm
from janus_bench.statistics.matched import match
from janus_bench.statistics.paired import mcnemar, paired_bootstrap, paired_t
from janus_bench.statistics.power import detectable, items_needed, power_of
from janus_bench.statistics.seeds import over_seeds
from janus_bench.statistics.stability import stability
from janus_bench.statistics.standard_error import clustered, mean_interval, standard_error
from janus_core.errors import UserError
from janus_core.scores import ScoredItem


def accuracy(items: Sequence[ScoredItem]) -> Mapping[str, float]:
    return {"accuracy": sum(item.score or 0 for item in items) / len(items)}


def items(scores: Sequence[float], size: int = 1) -> list[ScoredItem]:
    return [ScoredItem(str(n), str(n // size), score) for n, score in enumerate(scores)]


def test_items_are_matched_by_id_and_the_others_named() -> None:
    first, second = items([1, 0, 1, 1]), items([0, 0, 1, 1, 1])[1:][::-1]
    found = match([first, second])
    assert [[item.id for item in run] for run in found.items] == [["1", "2", "3"]] * 2
    assert found.alone == (["0"], ["4"])
    with pytest.raises(UserError, match="item 2 is of different clusters: '2', 'other'"):
        match([first, [ScoredItem("2", "other", 1)]])
    with pytest.raises(UserError, match="run 2 share an id"):
        match([first, [*first, first[0]]])


def test_the_bootstrap_refuses_items_that_are_not_matched() -> None:
    with pytest.raises(ValueError, match="not matched"):
        paired_bootstrap(items([1, 0]), items([1, 0])[::-1], accuracy)


def test_noise_is_found_rarely_and_a_difference_mostly() -> None:
    source, noise, real = random.Random(2), 0, 0
    for trial in range(120):
        skill = [source.random() for _ in range(150)]
        runs = [[float(source.random() < s) for s in skill] for _ in range(2)]
        better = [float(source.random() < s**0.5) for s in skill]
        for second, is_real in ((runs[1], False), (better, True)):
            found = paired_bootstrap(items(runs[0]), items(second), accuracy, resamples=400, seed=trial)["accuracy"]
            noise, real = noise + (found.p < 0.05 and not is_real), real + (found.p < 0.05 and is_real)
    assert noise <= 14  # 120 tests at 5 %, and chance
    assert real >= 90


def test_a_handful_of_items_proves_nothing() -> None:
    for many, least in ((1, 1.0), (3, 0.25), (5, 0.0625)):
        found = paired_bootstrap(items([0] * many), items([1] * many), accuracy)["accuracy"]
        assert found.value == 1 and found.p == least
    assert paired_bootstrap(items([0, 1] * 9), items([0, 1] * 9), accuracy)["accuracy"].p == 1
    one_picture = [ScoredItem(str(n), "a", 0) for n in range(50)], [ScoredItem(str(n), "a", 1) for n in range(50)]
    assert paired_bootstrap(*one_picture, accuracy)["accuracy"].p == 1


def test_mcnemar_small_large_and_refused() -> None:
    assert mcnemar([1, 1, 0], [1, 1, 0]) is not None
    cases = {(0, 0): 1.0, (1, 0): 1.0, (0, 5): 0.0625, (5, 1): 0.21875, (8, 8): 1.0, (10, 2): 0.03857421875}
    for (first, second), p in cases.items():
        found = mcnemar([1] * first + [0] * second, [0] * first + [1] * second)
        assert found is not None
        assert (found.first_only, found.second_only, found.p) == (first, second, p)
    many = mcnemar([1] * 3000 + [0] * 3300, [0] * 3000 + [1] * 3300)
    assert many is not None
    assert many.p == pytest.approx(math.erfc(299 / math.sqrt(6300) / math.sqrt(2)), rel=0.01)  # normal approximation
    assert mcnemar([0.3, 1], [1, 1]) is None
    assert mcnemar([None, 1], [1, 1]) is None


def test_clusters_widen_the_t_test() -> None:
    source = random.Random(3)
    first = [source.random() for _ in range(40)]
    second = [value + 0.3 * source.gauss(0.5, 1) for value in first for _ in "x"]
    plain = paired_t(first * 3, second * 3)
    tripled = paired_t(first * 3, second * 3, [n % 40 for n in range(120)])
    alone = paired_t(first, second)
    assert plain is not None and tripled is not None and alone is not None
    assert tripled.difference == pytest.approx(alone.difference)
    assert plain.error < 0.6 * tripled.error  # the same forty, counted three times
    assert tripled.error == pytest.approx(alone.error, rel=0.02)
    assert tripled.p == pytest.approx(alone.p, rel=0.1)
    assert paired_t([1], [0]) is None
    assert paired_t([1, 0], [0, 1], ["a", "a"]) is None
    same, sure = paired_t([1, 0], [1, 0]), paired_t([0, 0], [1, 1])
    assert same is not None and sure is not None
    assert (same.p, same.t, sure.p, sure.t) == (1.0, 0.0, 0.0, math.inf)


def test_clustered_errors_at_their_ends() -> None:
    scores = [1.0, 0.0, 1.0, 1.0]
    assert clustered(scores, "abcd") == standard_error(scores)
    assert math.isnan(standard_error([1.0]))
    assert clustered([0.1, 0.3, 0.2], "aaa") == pytest.approx(math.sqrt(0.02 / 2 / 3 - 0.02 / 9))
    assert clustered([0.0, 1.0] * 50, [n // 2 for n in range(100)]) < 0.006  # pairs that always cancel out
    interval = mean_interval(scores, "aabb")
    assert (interval.low + interval.high) / 2 == pytest.approx(0.75)
    with pytest.raises(ValueError, match="4 scores and 2 clusters"):
        clustered(scores, "ab")


def test_holm() -> None:
    found = holm({"a": 0.01, "b": 0.04, "c": math.nan, "d": 0.03, "e": 0.005})
    assert list(found) == ["a", "b", "c", "d", "e"]
    assert [found[name] for name in "abde"] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert math.isnan(found["c"])
    assert holm({"a": 0.7, "b": 0.8}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}


def test_seeds_and_items_are_told_apart() -> None:
    source = np.random.default_rng(4)
    hard = source.random(400) < 0.5
    steady = [items([float(h) for h in hard])] * 3
    found = over_seeds(steady, accuracy)["accuracy"]
    assert found.seed_deviation == 0
    assert found.item_deviation == pytest.approx(0.025, rel=0.1)
    assert found.interval.high - found.interval.low == pytest.approx(4 * 0.025, rel=0.15)
    skills = (0.35, 0.5, 0.65)
    unsteady = [items([float(s) for s in source.random(400) < skill]) for skill in skills]
    wide = over_seeds(unsteady, accuracy)["accuracy"]
    assert wide.values == tuple(accuracy(run)["accuracy"] for run in unsteady)
    assert wide.seed_deviation == pytest.approx(np.std(wide.values, ddof=1))
    assert wide.interval.high - wide.interval.low > 2 * (found.interval.high - found.interval.low)
    with pytest.raises(ValueError, match="2 seeds"):
        over_seeds(steady[:2], accuracy)
    with pytest.raises(ValueError, match="not matched"):
        over_seeds([*steady[:2], items([1.0] * 3)], accuracy)


def test_power_at_its_ends() -> None:
    assert items_needed(0.01, 0.5) > 100 * items_needed(0.11, 0.5)
    with pytest.raises(ValueError, match="0"):
        items_needed(0, 0.5)
    assert power_of(detectable(0.02), 0.02) == pytest.approx(0.8)
    assert power_of(0.1, 0) == 1


def test_stability_at_its_ends() -> None:
    found = stability([[1, 0, 1]])
    assert (found.expected, found.consensus, found.consistency) == (pytest.approx(2 / 3), pytest.approx(2 / 3), 1)
    assert math.isnan(found.variance)
    assert stability([[1, 0], [0, 0]]).consensus == 0  # a tie is no majority
    for bad in ([], [[]], [[1], [1, 0]]):
        with pytest.raises(ValueError, match=r"no scores|shorter|longer"):
            stability(bad)
