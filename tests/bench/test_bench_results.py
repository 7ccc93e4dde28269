"""Intervals, tables and pages of benchmarks, and a benchmark on a tiny model."""

from __future__ import annotations

import html
import json
import math
import re
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from janus_bench.chosen import chosen_benchmark
from janus_bench.page import write_page
from janus_bench.run import How, run_benchmark, run_benchmarks
from janus_bench.statistics.intervals import Interval, wilson
from janus_bench.stored import About, Stored
from janus_bench.table import text_table
from janus_core.config.recipe import ComponentChoice
from janus_core.errors import UserError
from janus_core.inference.session import Session
from janus_core.scores import Score, ScoreCard, share


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [
        (0, 10, 0.0, 0.27753),
        (10, 10, 0.72247, 1.0),
        (5, 10, 0.23659, 0.76341),
        (81, 263, 0.2553, 0.3662),  # this and the next: Newcombe 1998, table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_against_published_values(correct: int, total: int, low: float, high: float) -> None:
    assert wilson(correct, total) == pytest.approx((low, high), abs=5.1e-5)


def test_wilson_covers_the_share_and_narrows() -> None:
    widths = []
    for total in (10, 100, 1000):
        low, high = wilson(3 * total // 10, total)
        assert 0 <= low < 0.3 < high <= 1
        widths.append(high - low)
    assert widths[0] > widths[1] > widths[2]
    one, other = wilson(3, 17), wilson(14, 17)
    assert one == pytest.approx((1 - other[1], 1 - other[0]))
    assert wilson(5, 10, z=0) == pytest.approx((0.5, 0.5))


@pytest.mark.parametrize(("correct", "total"), [(1, 0), (-1, 5), (6, 5), (0, 0)])
def test_wilson_refuses_what_is_no_proportion(correct: int, total: int) -> None:
    with pytest.raises(ValueError, match=f"{correct} of {total}"):
        wilson(correct, total)


SCORES = [
    share("answers", 45, 60, {"majority": 0.25, "blind": 1 / 3}),
    share("drawn objects", 7, 8, {"chance": 0.04167}, {"true scenes": 1.0, "reconstructions": 0.98}),
    Score("sum", 1234.56, 60, unit="points"),
    Score("FID", -1e-14, 60, unit="distance"),
    Score("precision", math.nan, 0),
]


def stored(**changes: object) -> Stored:
    picture = Image.new("RGB", (8, 8), "red")
    asked = {"task": "understanding", "scene": 0, "question": "<b>what?</b>", "answer": "", "truth": "a & b"}
    drawn = {"task": "generation", "scene": 0, "prompt": "a <cat>", "picture": "drawing-0.png"}
    records = [
        {**asked, "right": False},
        {**asked, "question": "how many?", "answer": "two", "truth": "two", "right": True},
        {**drawn, "objects_right": 1, "objects": 2},
    ]
    pictures = {"scene-0.png": picture, "drawing-0.png": picture}
    values = {"records": records, "pictures": pictures, "attribution": "by A & B", **changes}
    card = ScoreCard("made", "made@way", 3, list(SCORES), **values)  # type: ignore[arg-type]
    intervals = {"answers": Interval(0.63, 0.84, "Wilson"), "sum": Interval(1200.0, 1300.26, "bootstrap")}
    return Stored(card, About("mine", random_weights=("adapters.image",)), intervals)


def test_the_table_has_each_score_with_its_interval_and_baselines() -> None:
    lines = text_table(stored(warnings=["odd"], stand_in="a rule")).splitlines()
    assert re.split(r"  +", lines[2]) == ["answers", "75.0", "63-84", "60", "majority 25.0, blind 33.3"]
    cells = re.split(r"  +", lines[3])
    assert cells == ["drawn objects", "87.5", "8", "chance 4.2", "true scenes 100.0, reconstructions 98.0"]
    assert re.split(r"  +", lines[4]) == ["sum (points)", "1234.6", "1200.0-1300.3", "60"]
    assert re.split(r"  +", lines[5]) == ["FID (distance)", "0.00", "60"]
    assert re.split(r"  +", lines[6]) == ["precision", "undefined", "0"]
    assert lines[0].index("95 %") == lines[2].index("63-84")
    notes = "\n".join(lines[7:])
    assert "RANDOM weights, never trained: adapters.image" in notes
    assert "STAND-IN, not to be reported: a rule" in notes
    assert "warning: odd" in notes


def test_the_page_holds_all_and_needs_no_network(tmp_path: Path) -> None:
    table = text_table(stored())
    write_page(tmp_path / "page.html", stored().card, table, "Mine <first>")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert html.escape(table) in text
    assert text.count("<img ") == text.count("data:image/png;base64,") == 2
    for told in (
        "Mine &lt;first&gt;",
        "&lt;b&gt;what?&lt;/b&gt;",
        "a &amp; b",
        "a &lt;cat&gt;",
        "made@way, version 3",
        "by A &amp; B",
    ):
        assert told in text
    assert "1 of 2 objects" in text
    for outside in ("http:", "https:", "//cdn", "<script", "<link", "url(", "@import"):
        assert outside not in text
    assert "prefers-color-scheme" in text or "color-scheme: light dark" in text


def test_a_page_without_pictures_or_items(tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", stored(records=[], pictures={}).card, "", "x")
    assert "<img" not in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def session(tiny: ModuleType) -> Session:
    built = tiny.build(tiny.recipe("both", image_size=64))
    built.model.eval()
    return Session(built, "tiny one", {"recipe": "tiny"})


def run(session: Session, folder: Path | None = None, limit: int | None = None) -> ScoreCard:
    return run_benchmark(chosen_benchmark(choice()), session, How(limit=limit), folder).card


def choice(**options: object) -> ComponentChoice:
    return ComponentChoice(type="openmoji_scenes", options={"scenes": 2, **options})


@pytest.mark.silent_failure(24)
def test_a_benchmark_on_a_tiny_model(session: Session, tmp_path: Path) -> None:
    benchmark = chosen_benchmark(choice())
    (found,) = run_benchmarks([benchmark], session, How(), tmp_path / "run")
    card, folder = found.card, tmp_path / "run" / "openmoji_scenes@exact"
    assert (card.protocol, card.version) == ("openmoji_scenes@exact", 1)
    names = [score.name for score in card.scores]
    assert names[0] == "answers"
    assert {"drawn objects", "drawn backgrounds"} <= set(names)
    parts = [score for score in card.scores if score.name.startswith("answers: ")]
    assert card.scores[0].total == sum(score.total for score in parts) > 0
    for score in card.scores:
        assert score.correct is not None
        assert 0 <= score.correct <= score.total
        assert score.baselines
        assert all(0 <= value <= 1 and math.isfinite(value) for value in score.baselines.values())
        assert score.task in ("understanding", "generation")
    drawn = next(score for score in card.scores if score.name == "drawn objects")
    assert drawn.ceilings["true scenes"] == 1.0
    assert "CC BY-SA" in card.attribution or "CC-BY-SA" in card.attribution
    # every number can be had again from the items alone, and has an interval
    again = benchmark.build().aggregate("exact", card.items)
    assert again == {score.name: pytest.approx(score.value) for score in card.scores}
    assert set(found.intervals) == set(names)
    for score in card.scores:
        assert found.intervals[score.name].low <= score.value <= found.intervals[score.name].high
    about = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    assert about["protocol"] == card.protocol  # row 24: a number comes with the protocol that made it
    assert about["about"]["random_weights"] == ["encoders.image", "language_model", "generation_tokenizer"]
    made_of = about["about"]["provenance"]
    assert made_of["benchmark"]["component"] == "openmoji_scenes/openmoji_scenes"
    assert made_of["language_model"] == session.built.provenance["language_model"]
    assert all(len(item["code_sha256"]) == 64 for item in made_of.values())
    assert len(card.items) == card.scores[0].total + 2
    table = (folder / "table.txt").read_text(encoding="utf-8")
    assert table == text_table(found) + "\n"
    assert "encoders.image" in table.rpartition("RANDOM")[2]
    assert {path.name for path in folder.glob("*.png")} == set(card.pictures)
    (read,) = run_benchmarks([benchmark], session, How(), tmp_path / "run")  # there already: read, not run again
    assert (read.card.scores, read.card.items, read.intervals) == (card.scores, card.items, found.intervals)


@pytest.mark.parametrize("mode", ["understanding", "generation"])
def test_a_model_with_one_side_is_measured_on_that_side(mode: str, tiny: ModuleType, tmp_path: Path) -> None:
    built = tiny.build(tiny.recipe(mode, image_size=64))
    built.model.eval()
    found = run(Session(built, "one side", {"recipe": "tiny"}), folder=tmp_path)
    assert {score.task for score in found.scores} == {record["task"] for record in found.records} == {mode}
    names = {score.name for score in found.scores}
    assert ("answers" in names, "drawn objects" in names) == (mode == "understanding", mode == "generation")


def test_a_benchmark_gives_the_same_twice(session: Session) -> None:
    first, second = (run(session, limit=1) for _ in range(2))
    assert first.items == second.items
    assert first.scores == second.scores
    assert {record["scene"] for record in first.records} == {0}


def test_pictures_of_another_size_are_refused_by_name(tiny: ModuleType) -> None:
    built = tiny.build(tiny.recipe("generation", image_size=32))
    with pytest.raises(UserError, match="64"):
        run(Session(built), limit=1)


def test_wrong_names_and_options_are_told() -> None:
    with pytest.raises(UserError, match="openmoji_scenes"):
        chosen_benchmark(ComponentChoice(type="openmoji_scene"))
    with pytest.raises(UserError, match="scenes"):
        chosen_benchmark(choice(scene=2))
    with pytest.raises(UserError, match=r"no protocol 'exakt'.*exact"):
        chosen_benchmark(ComponentChoice(type="openmoji_scenes@exakt"))
    with pytest.raises(UserError, match="disagree"):
        chosen_benchmark(ComponentChoice(type="openmoji_scenes@exact"), "other")
    for written in ("exact", "openmoji_scenes@exact"):
        assert chosen_benchmark(choice(), written).id == "openmoji_scenes@exact"
