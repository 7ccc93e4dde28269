"""A scored run on disk is read back as it was written."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from PIL import Image

from janus_bench.statistics.intervals import Interval
from janus_bench.stored import About, card_folder, read_card, read_run, write_about, write_card
from janus_core.errors import UserError
from janus_core.scores import Score, ScoreCard, ScoredItem

ABOUT = About("mine", {"step": 7}, ("encoders.image",), "mine, 2 seeds", 1)


def card(protocol: str = "made@plain") -> ScoreCard:
    items = [
        ScoredItem("a", "one", 1.0, "yes\u2028no", facts={"split": "x", "parts": [1, 2]}),
        ScoredItem("b", "one", None, None, "missing", {"grade": math.nan}),
    ]
    scores = [
        Score("F1", 0.1 + 0.2, 2, None, baselines={"blind": math.nan}, task="understanding"),
        Score("precision", math.nan, 0),
        Score("drawn", 0.5, 2, 1, ceilings={"true": 1.0}, task="generation"),
    ]
    found = ScoreCard("made", protocol, 2, scores, items, [{"question": "wie geht's?", "n": 1}])
    found.details, found.warnings = {"table": {"TP": 1, "ratio": math.nan}}, ["careful"]
    found.settings, found.stand_in, found.attribution = {"seed": 3}, "judge made for tests", "by A"
    found.pictures = {"one.png": Image.new("RGB", (2, 2))}
    return found


def test_a_card_comes_back_whole(tmp_path: Path) -> None:
    intervals = {"F1": Interval(0.1, 0.9, "cluster bootstrap", 3, 1000)}
    written = card()
    write_card(tmp_path / "card", written, ABOUT, intervals)
    read, about, found = read_card(tmp_path / "card")
    assert (about, found) == (ABOUT, intervals)
    assert read.scores[0].value == written.scores[0].value  # to the last digit
    assert read.scores[2] == written.scores[2]
    assert math.isnan(read.scores[1].value) and math.isnan(read.scores[0].baselines["blind"])
    assert read.items[0] == written.items[0]
    assert (read.items[1].status, read.missing, read.unparsed) == ("missing", 1, 0)
    assert math.isnan(read.items[1].facts["grade"])
    for name in ("benchmark", "protocol", "version", "records", "warnings", "settings", "stand_in", "attribution"):
        assert getattr(read, name) == getattr(written, name)
    assert read.details == {"table": {"TP": 1, "ratio": None}}
    assert (tmp_path / "card" / "one.png").is_file()


def test_scores_are_json_of_the_standard(tmp_path: Path) -> None:
    write_card(tmp_path, card(), ABOUT)

    def refuse(name: str) -> None:
        raise AssertionError(name)

    told = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert [score["value"] for score in told["scores"]] == [0.1 + 0.2, None, 0.5]
    assert (told["items"], told["missing"], told["unparsed"]) == (2, 1, 0)
    assert told["scores"][0]["interval"] is None
    assert told["about"]["random_weights"] == ["encoders.image"]


def test_a_run_is_its_cards(tmp_path: Path) -> None:
    for protocol in ("made@plain", "made@other", "mine/made@plain"):
        write_card(card_folder(tmp_path, protocol), card(protocol), ABOUT)
    (tmp_path / "begun@plain").mkdir()
    write_about(tmp_path, About("the run's name"))
    run = read_run(tmp_path)
    assert run.about.model == "the run's name"
    assert sorted(run.results) == ["made@other", "made@plain", "mine/made@plain"]
    alone = read_run(tmp_path / "made@plain")
    assert list(alone.results) == ["made@plain"] and alone.about == ABOUT


@pytest.mark.parametrize("damage", ["lines", "format", "key", "nothing", "list"])
def test_damage_is_told_with_its_place(damage: str, tmp_path: Path) -> None:
    write_card(tmp_path, card(), ABOUT)
    scores, items = tmp_path / "scores.json", tmp_path / "items.jsonl"
    told = json.loads(scores.read_text(encoding="utf-8"))
    if damage == "lines":
        items.write_text(items.read_text(encoding="utf-8").splitlines(keepends=True)[0], encoding="utf-8")
    elif damage == "format":
        scores.write_text(json.dumps(told | {"format": 0}), encoding="utf-8")
    elif damage == "key":
        scores.write_text(json.dumps({k: v for k, v in told.items() if k != "scores"}), encoding="utf-8")
    elif damage == "list":
        scores.write_text("[]", encoding="utf-8")
    else:
        scores.unlink()
    with pytest.raises(UserError, match=str(tmp_path)):
        read_run(tmp_path)


def test_what_cannot_be_told_apart_is_not_written(tmp_path: Path) -> None:
    twice = card()
    twice.items.append(twice.items[0])
    with pytest.raises(ValueError, match="share an id"):
        write_card(tmp_path, twice, ABOUT)
    with pytest.raises(ValueError, match="F2"):
        write_card(tmp_path, card(), ABOUT, {"F2": Interval(0, 1, "x")})
    assert not (tmp_path / "scores.json").exists()
