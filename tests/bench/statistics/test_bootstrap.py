"""The cluster bootstrap: any aggregate, clusters whole, the fast way equal to the plain one."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from janus_bench.statistics.bootstrap import Clusters, bootstrap_intervals, keyed, percentile, resample
from janus_bench.statistics.intervals import wilson
from janus_bench.statistics.means import find_means
from janus_bench.statistics.of_card import card_intervals
from janus_core.scores import Score, ScoreCard, ScoredItem, share


def made(clusters: int = 40, seed: int = 0, scores: Sequence[float] = (0, 0.3, 1)) -> list[ScoredItem]:
    """Items in clusters of 1 to 4 that are spread over the list; two kinds, and tags as a list."""
    source = random.Random(seed)
    items = [
        ScoredItem(
            f"{cluster}-{n}",
            f"c{cluster}",
            source.choice(scores),
            facts={"kind": source.choice("xy"), "tags": source.sample(["p", "q", "r"], 2), "weight": source.random()},
        )
        for cluster in range(clusters)
        for n in range(source.randint(1, 4))
    ]
    source.shuffle(items)
    return items


def mean(items: Sequence[ScoredItem]) -> float:
    return sum(item.score or 0 for item in items) / len(items) if items else math.nan


def means(items: Sequence[ScoredItem]) -> Mapping[str, float]:
    return {
        "all": mean(items),
        "x in per cent": 100 * mean([item for item in items if item.facts["kind"] == "x"]),
        "q": mean([item for item in items if "q" in item.facts["tags"]]),
    }


def with_a_product(items: Sequence[ScoredItem]) -> Mapping[str, float]:
    scores = means(items)
    return {**scores, "product": scores["all"] * scores["q"]}


def test_the_fast_way_gives_what_the_aggregate_gives() -> None:
    items = made()
    fast, plain = (resample(items, aggregate, resamples=200, seed=3) for aggregate in (means, with_a_product))
    assert set(fast) | {"product"} == set(plain)
    for name, values in fast.items():
        np.testing.assert_allclose(values, plain[name], rtol=1e-12)
    np.testing.assert_allclose(plain["product"], plain["all"] * plain["q"])


def test_means_are_proved_not_believed() -> None:
    items = made()
    probes = [np.array(random.Random(n).choices(range(len(items)), k=len(items))) for n in range(5)]
    assert find_means(items, means, probes) is not None
    assert find_means(items, with_a_product, probes) is None
    value = mean(items)
    assert find_means(items, lambda resampled: {"constant": value}, probes) is None
    unscored = [ScoredItem(item.id, item.cluster, None, facts=item.facts) for item in items]
    assert find_means(unscored, lambda resampled: {"distance": 0.0}, probes) is None


def test_a_resample_takes_clusters_whole() -> None:
    items = made()
    sizes = {name: sum(item.cluster == name for item in items) for name in {item.cluster for item in items}}
    seen = []

    def look(resampled: Sequence[ScoredItem]) -> Mapping[str, float]:
        found = [item.cluster for item in resampled]
        assert all(found.count(name) % sizes[name] == 0 for name in found)
        seen.append(len({*found}))
        return {"spread of weights": max(item.facts["weight"] for item in resampled)}

    resample(items, look, resamples=30)
    assert len(seen) > 30 and min(seen) < 40


def test_draws_are_keyed() -> None:
    items = made()
    one, same = (resample(items, means, resamples=50, seed=keyed(1, "pope@random")) for _ in range(2))
    np.testing.assert_array_equal(one["all"], same["all"])
    for other in (keyed(2, "pope@random"), keyed(1, "pope@popular")):
        assert (resample(items, means, resamples=50, seed=other)["all"] != one["all"]).any()
    swapped = [ScoredItem(item.id, item.cluster, 1 - (item.score or 0), facts=item.facts) for item in items]
    other_run = resample(swapped, means, resamples=50, seed=keyed(1, "pope@random"))
    np.testing.assert_allclose(other_run["all"], 1 - one["all"])


def test_what_is_not_defined_is_counted() -> None:
    items = [ScoredItem(str(n), str(n), float(n < 4), facts={"kind": "x" if n == 0 else "y"}) for n in range(6)]
    for aggregate in (means_of_kinds, lambda resampled: {**means_of_kinds(resampled), "no mean": 1 / len(resampled)}):
        interval = bootstrap_intervals(items, aggregate, resamples=2000)["x"]
        assert interval.resamples == 2000
        assert interval.undefined / 2000 == pytest.approx((5 / 6) ** 6, abs=0.04)
        assert (interval.low, interval.high) == (1, 1)
    assert math.isnan(percentile(np.array([math.nan]), "x").low)


def test_a_score_that_a_resample_lacks_is_not_defined_there() -> None:
    """Subtasks of which nothing was drawn are often left out of an aggregate's answer."""

    def present(items: Sequence[ScoredItem]) -> Mapping[str, float]:
        return {name: value for name, value in means_of_kinds(items).items() if not math.isnan(value)}

    items = [ScoredItem(str(n), str(n), float(n < 4), facts={"kind": "x" if n == 0 else "y"}) for n in range(6)]
    for aggregate in (present, lambda resampled: {**present(resampled), "no mean": 1 / len(resampled) ** 2}):
        assert bootstrap_intervals(items, aggregate, resamples=500)["x"].undefined > 100


def means_of_kinds(items: Sequence[ScoredItem]) -> Mapping[str, float]:
    return {"all": mean(items), "x": mean([item for item in items if item.facts["kind"] == "x"])}


def test_clusters_widen_the_interval_and_it_covers() -> None:
    """Of 95 % intervals of answers that come in equal fours, about 95 in 100 hold the truth; item by item, fewer."""
    source, hits, alone = random.Random(5), 0, 0
    for trial in range(200):
        right = [float(source.random() < 0.6) for _ in range(60) for _ in "once"]
        right = [right[4 * (n // 4)] for n in range(240)]
        fours = [ScoredItem(str(n), str(n // 4), score) for n, score in enumerate(right)]
        ones = [ScoredItem(item.id, item.id, item.score) for item in fours]
        for items, clustered in ((fours, True), (ones, False)):
            interval = bootstrap_intervals(items, lambda i: {"a": mean(i)}, resamples=400, seed=trial)["a"]
            inside = interval.low <= 0.6 <= interval.high
            hits, alone = hits + (inside and clustered), alone + (inside and not clustered)
    assert 180 <= hits <= 199
    assert alone < 165


def test_intervals_of_a_card() -> None:
    items = [ScoredItem(str(n), str(n), float(n % 3 == 0), facts={"kind": "xy"[n % 2]}) for n in range(30)]
    card = ScoreCard("made", "made@plain", 1, [share("all", 10, 30), Score("x", 1 / 3, 15)], items)
    found = card_intervals(card, means_of_kinds)
    assert (found["all"].low, found["all"].high) == wilson(10, 30)
    assert found["x"].method == "bootstrap of 30 clusters" and found["x"].low < 1 / 3 < found["x"].high
    card.scores[1] = Score("x", 0.4, 15)
    with pytest.raises(ValueError, match="'x'"):
        card_intervals(card, means_of_kinds)


def test_all_right_is_not_certain() -> None:
    items = [ScoredItem(str(n), str(n // 2), 1.0) for n in range(20)]
    card = ScoreCard("made", "made@plain", 1, [share("all", 20, 20), Score("precision", math.nan, 0)], items)
    found = card_intervals(card, lambda resampled: {"all": mean(resampled), "precision": math.nan})
    assert list(found) == ["all"]
    assert (found["all"].low, found["all"].high) == wilson(10, 10)  # ten clusters, not twenty answers
    card.scores = [Score("all", 1.0, 20, unit="points")]
    assert card_intervals(card, lambda resampled: {"all": mean(resampled)}) == {}
    card.items = [ScoredItem(str(n), "0", 1.0) for n in range(20)]
    assert card_intervals(card, lambda resampled: {"all": mean(resampled)}) == {}
    distance = ScoreCard("fid", "fid@x", 1, [Score("FID", 8.5, 30, unit="distance")])
    assert card_intervals(distance, lambda resampled: {}) == {}


def test_nothing_cannot_be_resampled() -> None:
    with pytest.raises(ValueError, match="no items"):
        Clusters.of([])
