"""The quickstart that ships: its table is what the benchmark gives, and it beats what needs no understanding."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from janus_bench.chosen import chosen_benchmark
from janus_bench.run import How, run_benchmark
from janus_core.checkpoints.own import load_checkpoint
from janus_core.config.recipe import ComponentChoice
from janus_core.inference.session import Session

SHIPPED = Path(__file__).resolve().parents[2] / "recipes" / "quickstart" / "checkpoint"
SCENES = 30


@pytest.fixture(scope="module")
def session() -> Session:
    built, recipe, facts = load_checkpoint(SHIPPED)
    built.model.eval()
    return Session(built, recipe.name, facts)


@pytest.mark.silent_failure(24)
def test_the_first_scenes_give_the_scores_that_ship(session: Session) -> None:
    """On a sample of the scenes, so within sampling error of the whole: three standard deviations."""
    benchmark = chosen_benchmark(ComponentChoice(type="openmoji_scenes"))
    card = run_benchmark(benchmark, session, How(limit=SCENES)).card
    shipped = {row["name"]: row for row in json.loads((SHIPPED / "scores.json").read_text())["scores"]}
    for score in card.scores:
        if score.name in ("answers", "drawn objects"):
            share = shipped[score.name]["value"]
            assert abs(score.value - share) < 3 * (share * (1 - share) / score.total) ** 0.5 + 0.02
            assert score.value > max(score.baselines.values()) + 0.2


def test_the_table_that_ships_beats_its_baselines() -> None:
    rows = json.loads((SHIPPED / "scores.json").read_text())["scores"]
    assert len(rows) >= 9
    for row in rows:
        if row["total"] >= 200:
            assert row["value"] >= max(row["baselines"].values()), row["name"]
