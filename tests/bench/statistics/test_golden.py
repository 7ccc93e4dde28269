"""Intervals, tests and power against the numbers of lm-evaluation-harness, lmms-eval and scipy."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from janus_bench.statistics import lm_eval
from janus_bench.statistics.intervals import wilson
from janus_bench.statistics.paired import mcnemar, paired_bootstrap, paired_t
from janus_bench.statistics.power import detectable, difference_deviation, items_needed, power_of
from janus_bench.statistics.stability import stability
from janus_bench.statistics.standard_error import clustered, standard_error
from janus_core.scores import ScoredItem

FOLDER = Path(__file__).parents[2] / "fixtures" / "evaluation" / "stats"
SCORES = json.loads((FOLDER / "scores.json").read_text(encoding="utf-8"))
A, B, CLUSTERS = SCORES["model_a"], SCORES["model_b"], SCORES["cluster_id"]
EXACT = {"rel": 0, "abs": 1e-12}


def golden(start: str) -> Any:
    told = json.loads((FOLDER / "official_output.json").read_text(encoding="utf-8"))
    return next(value for name, value in told.items() if name.startswith(start))


@pytest.mark.parametrize("name", ["model_a", "model_b", "soft_vqa"])
def test_standard_errors(name: str) -> None:
    assert standard_error(SCORES[name]) == pytest.approx(golden("lm_eval_mean")[name], **EXACT)
    assert clustered(SCORES[name], CLUSTERS) == pytest.approx(golden("lmms_eval_clustered")[name], **EXACT)


def test_numbers_of_lm_eval() -> None:
    pooled = lm_eval.pooled([standard_error(A), standard_error(B[:30])], [60, 30])
    assert pooled == pytest.approx(golden("lm_eval_pooled"), **EXACT)

    def mean(values: Sequence[float]) -> float:
        return sum(values) / len(values)

    assert lm_eval.draws(A, mean, 200, 0)[:5] == pytest.approx(golden("lm_eval_bootstrap")[:5], **EXACT)
    assert lm_eval.bootstrap_error(A, mean, 200) == pytest.approx(golden("lm_eval_bootstrap")[5], **EXACT)


def test_paired_t() -> None:
    told = golden("lmms_eval_paired")
    found = paired_t(A, B)
    assert found is not None
    values = (found.difference, found.error, found.interval.low, found.interval.high, found.t, found.p)
    names = ("mean_diff", "se_diff", "ci_lower", "ci_upper", "t_stat", "p_value")
    assert values == pytest.approx([told[name] for name in names], **EXACT)


def test_power() -> None:
    told = golden("lmms_eval_power")
    deviation = difference_deviation(told["std_a"], told["std_b"], told["correlation"])
    assert items_needed(told["effect_size"], deviation) == told["min_n"]
    error = deviation / math.sqrt(told["current_n"])
    assert round(power_of(told["effect_size"], error), 4) == told["current_power"]
    assert round(detectable(error), 4) == told["min_detectable_effect"]


def test_stability() -> None:
    told = golden("lmms_eval_stability")
    found = stability([A, B, [int(score >= 0.5) for score in SCORES["soft_vqa"]]])
    values = (found.expected, found.consensus, found.variance, found.consistency)
    names = ("expected_accuracy", "consensus_accuracy", "internal_variance", "consistency_rate")
    assert values == pytest.approx([told[name] for name in names], **EXACT)


def test_mcnemar() -> None:
    told = golden("mcnemar")
    found = mcnemar(A, B)
    assert found is not None
    assert (found.first_only, found.second_only) == (told["a_only_correct"], told["b_only_correct"])
    assert found.p == pytest.approx(told["p"], **EXACT)


def test_wilson() -> None:
    assert wilson(sum(A), len(A)) == pytest.approx(golden("wilson95"), **EXACT)


def mean_score(items: Sequence[ScoredItem]) -> Mapping[str, float]:
    return {"accuracy": sum(item.score or 0 for item in items) / len(items)}


def slow_mean_score(items: Sequence[ScoredItem]) -> Mapping[str, float]:
    """The same, beside a score that is no mean: every resample goes through the aggregate."""
    return mean_score(items) | {"no mean": sum(item.score or 0 for item in items) ** 2}


@pytest.mark.parametrize("aggregate", [mean_score, slow_mean_score])
def test_paired_bootstrap_draws_as_scipy_does(aggregate: Any) -> None:
    told = golden("scipy_paired")
    runs = [[ScoredItem(str(n), str(n), score) for n, score in enumerate(scores)] for scores in (B, A)]
    found = paired_bootstrap(*runs, aggregate, resamples=9999, seed=0)["accuracy"]
    assert (found.interval.low, found.interval.high) == pytest.approx(told["ci95"], **EXACT)
    assert found.error == pytest.approx(told["se"], **EXACT)
    assert found.value == pytest.approx((sum(A) - sum(B)) / 60, **EXACT)


def test_scipy_and_statsmodels_where_they_are_installed() -> None:
    stats = pytest.importorskip("scipy.stats")
    from janus_bench.statistics.student import quantile, two_sided

    source = random.Random(1)
    for _ in range(200):
        t, freedom, p = source.gauss(0, 4), source.randint(1, 3000), source.uniform(0.001, 0.999)
        assert two_sided(t, freedom) == pytest.approx(2 * stats.t.sf(abs(t), freedom), rel=1e-9)
        assert quantile(p, freedom) == pytest.approx(stats.t.ppf(p, freedom), rel=1e-9, abs=1e-12)
        first, second = ([source.randint(0, 1) for _ in range(50)] for _ in range(2))
        found = mcnemar(first, second)
        assert found is not None
        exact = stats.binomtest(found.first_only, found.first_only + found.second_only).pvalue
        assert found.p == pytest.approx(exact, rel=1e-9)
    holm = pytest.importorskip("statsmodels.stats.multitest").multipletests
    from janus_bench.statistics.family import holm as ours

    values = [source.random() ** 3 for _ in range(9)]
    adjusted = ours({str(n): value for n, value in enumerate(values)})
    assert list(adjusted.values()) == pytest.approx(holm(values, method="holm")[1].tolist(), rel=1e-12)
