"""Two runs are compared item by item; noise is called noise."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from janus_bench.aggregate import aggregate_of
from janus_bench.compare import Comparison, Row, compare
from janus_bench.compare_text import sentence
from janus_bench.stored import About, Run, Stored
from janus_core.errors import UserError
from janus_core.scores import Aggregate, Score, ScoreCard, ScoredItem, Unit


def accuracy(items: Sequence[ScoredItem]) -> Mapping[str, float]:
    return {"accuracy": sum(item.score or 0 for item in items) / len(items)}


def aggregates(card: ScoreCard) -> Aggregate:
    def both(items: Sequence[ScoredItem]) -> Mapping[str, float]:
        return {"accuracy": accuracy(items)["accuracy"], "distance": 10 * accuracy(items)["accuracy"]}

    return both


def card(
    scores: Sequence[float], protocol: str = "made@plain", per_cluster: int = 1, unit: Unit = "share"
) -> ScoreCard:
    items = [ScoredItem(f"q{n}", str(n // per_cluster), score, str(score)) for n, score in enumerate(scores)]
    name = "distance" if unit == "distance" else "accuracy"
    return ScoreCard("made", protocol, 1, [Score(name, aggregates(None)(items)[name], len(items), unit=unit)], items)  # type: ignore[arg-type]


def run(name: str, *cards: ScoreCard, random_weights: tuple[str, ...] = ()) -> Run:
    about = About(name, random_weights=random_weights)
    return Run(Path(name), about, {each.protocol: Stored(each, about, {}) for each in cards})


def answers(skill: float, many: int, seed: int) -> list[float]:
    source = random.Random(seed)
    return [float(source.random() < skill) for _ in range(many)]


def only(found: Comparison) -> Row:
    (row,) = found.rows
    return row


def test_noise_says_so() -> None:
    found = compare(run("a", card(answers(0.6, 80, 1))), run("b", card(answers(0.6, 80, 2))), aggregates=aggregates)
    row = only(found)
    assert row.verdict == "noise" and row.difference is not None
    assert row.difference.interval.low <= 0 <= row.difference.interval.high
    assert 0.1 < row.detectable < 0.3
    assert "no difference that these 80 items can show" in found.text()
    assert f"smallest difference that could be seen: about {100 * row.detectable:.1f} percentage points" in found.text()


def test_a_real_difference_says_who_is_better() -> None:
    first, second = run("a", card(answers(0.4, 300, 1))), run("b", card(answers(0.7, 300, 2)))
    row = only(compare(first, second, aggregates=aggregates))
    assert row.verdict == "second is better" and row.p < 0.001
    assert row.mcnemar is not None and row.p == row.mcnemar.p
    assert row.difference is not None and row.difference.value == pytest.approx(row.second - row.first)
    assert only(compare(second, first, aggregates=aggregates)).verdict == "first is better"
    assert "second is better than first by" in sentence(row)


def test_of_distances_the_smaller_is_better() -> None:
    one, other = (card(answers(skill, 300, seed), unit="distance") for skill, seed in ((0.4, 1), (0.7, 2)))
    row = only(compare(run("a", one), run("b", other), aggregates=aggregates))
    assert row.unit == "distance" and row.verdict == "first is better"


def test_clusters_count_once() -> None:
    """Answers that come in tens weigh as much as one; item by item they would prove a difference."""
    first = [score for score in (1.0, 1.0, *([0.0] * 22)) for _ in range(10)]
    second = [score for score in (0.0, 0.0, *([1.0] * 6), *([0.0] * 16)) for _ in range(10)]
    tens = only(
        compare(run("a", card(first, per_cluster=10)), run("b", card(second, per_cluster=10)), aggregates=aggregates)
    )
    ones = only(compare(run("a", card(first)), run("b", card(second)), aggregates=aggregates))
    assert (tens.clusters, tens.verdict, ones.verdict) == (24, "noise", "second is better")
    assert tens.mcnemar is not None and tens.p != tens.mcnemar.p


def test_a_handful_is_warned_of() -> None:
    row = only(compare(run("a", card([0.0] * 4)), run("b", card([1.0] * 4)), aggregates=aggregates))
    assert row.verdict == "noise" and row.p == 0.125
    assert any("4 independent items are too few" in warning for warning in row.warnings)


def test_the_same_on_every_item() -> None:
    same = answers(0.5, 40, 1)
    found = compare(run("a", card(same)), run("b", card(same)), aggregates=aggregates)
    assert only(found).verdict == "same on every item" and only(found).p == 1
    assert "the same on every one of the 40 items" in found.text()


def test_many_benchmarks_are_one_family() -> None:
    first = run("a", *(card(answers(0.5, 100, n), f"made{n}@plain") for n in range(10)))
    shifted = [*([1.0] * 9), *answers(0.5, 100, 0)[9:]]
    second = run(
        "b", card(shifted, "made0@plain"), *(card(answers(0.5, 100, n), f"made{n}@plain") for n in range(1, 10))
    )
    row = compare(first, second, aggregates=aggregates).rows[0]
    alone = compare(
        run("a", card(answers(0.5, 100, 0), "made0@plain")),
        run("b", card(shifted, "made0@plain")),
        aggregates=aggregates,
    )
    assert row.p == only(alone).p == only(alone).adjusted
    assert row.adjusted == pytest.approx(min(1.0, 10 * row.p))
    assert row.detectable > only(alone).detectable


def test_what_only_one_run_has_is_named() -> None:
    scores = answers(0.5, 30, 1)
    found = compare(
        run("a", card(scores), card(scores, "made@other")), run("b", card(scores[:28])), aggregates=aggregates
    )
    assert only(found).items == 28
    assert (
        "warning: made@plain accuracy: 2 items of a are not in the other run and are left out: q28, q29" in found.text()
    )
    assert "only a measured made@other" in found.text()


def test_numbers_of_two_scales_are_refused() -> None:
    plain = card(answers(0.5, 30, 1))
    judged = replace(plain, settings={"judge": {"model": "gpt-4-0613"}})
    cases = {
        "version 1 and version 2": (plain, replace(plain, version=2)),
        "judge.model is 'gpt-4-0613' and 'other'": (judged, replace(plain, settings={"judge": {"model": "other"}})),
        "judge is not recorded": (plain, judged),
        "stand-in: rule judge": (plain, replace(plain, stand_in="rule judge")),
        "share no item": (plain, replace(plain, items=[ScoredItem("z", "z", 1.0)])),
        "different clusters": (plain, replace(plain, items=[ScoredItem("q0", "z", 1.0)])),
        "different sides": (plain, replace(plain, scores=[Score("drawn", 0.5, 30)])),
    }
    for told, (one, other) in cases.items():
        found = compare(run("a", one), run("b", other), aggregates=aggregates)
        assert not found.rows
        assert told in found.refused["made@plain"]
        assert "not compared: made@plain" in found.text() and "Nothing can be compared." in found.text()


def test_other_settings_are_warned_of() -> None:
    plain = card(answers(0.5, 30, 1))
    one = replace(plain, settings={"options": {"prompts": "janus"}, "seed": 1, "batch_size": 4})
    other = replace(plain, settings={"options": {"prompts": "llava"}, "seed": 2, "batch_size": 5, "system": "x"})
    found = compare(run("a", one), run("b", other, random_weights=("head",)), aggregates=aggregates)
    assert found.warnings == ["b has RANDOM weights: head"]
    assert only(found).warnings == [
        "run differently: options.prompts is 'janus' and 'llava'",
        "run differently: system is not recorded and 'x'",
    ]


def test_a_distance_of_sets_has_no_test() -> None:
    one, other = (ScoreCard("fid", "fid@x", 1, [Score("FID", v, 30, unit="distance")]) for v in (8.5, 9.25))
    found = compare(run("a", one), run("b", other), aggregates=aggregates)
    assert only(found).verdict == "not tested" and math.isnan(only(found).p)
    assert "+0.75" in found.text() and "no interval" in found.text()
    for each in (one, other):  # pictures are items, but the distance cannot be had from them
        each.items = [ScoredItem(str(n), str(n), None) for n in range(30)]
    again = compare(run("a", one), run("b", other), aggregates=lambda card: lambda items: {"FID": math.nan})
    assert (only(again).first, only(again).second, only(again).verdict) == (8.5, 9.25, "not tested")


def test_facts_are_json_and_names_differ() -> None:
    scores = answers(0.5, 30, 1)
    one, other = run("same", card(scores)), replace(run("same", card(scores)), folder=Path("there"))
    told = json.loads(json.dumps(compare(one, other, aggregates=aggregates).facts(), allow_nan=False))
    assert (told["first"], told["second"]) == ("same (same)", "same (there)")
    assert told["rows"][0]["detectable"] is None and told["rows"][0]["verdict"] == "same on every item"


def test_the_aggregate_of_a_card_is_its_benchmarks() -> None:
    with pytest.raises(UserError, match="made"):
        aggregate_of(card([1.0]))
