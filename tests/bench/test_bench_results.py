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

from janus_bench.intervals import wilson
from janus_bench.page import write_page
from janus_bench.run import run_benchmark, write_result
from janus_bench.table import rows, text_table
from janus_core.config.recipe import ComponentChoice
from janus_core.errors import UserError
from janus_core.inference.session import Session
from janus_core.interfaces import BenchmarkResult, Score


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
    Score("answers", 45, 60, {"majority": 0.25, "blind": 1 / 3}, {}),
    Score("drawn objects", 7, 8, {"chance": 0.04167}, {"true scenes": 1.0, "reconstructions": 0.98}),
]


def test_the_table_has_each_score_with_its_interval_and_baselines() -> None:
    lines = text_table(SCORES).splitlines()
    assert len(lines) == 2 + len(SCORES)
    assert re.split(r"  +", lines[2]) == ["answers", "75.0", "63-84", "60", "majority 25.0, blind 33.3"]
    cells = re.split(r"  +", lines[3])
    assert cells == ["drawn objects", "87.5", "53-98", "8", "chance 4.2", "true scenes 100.0, reconstructions 98.0"]
    at = lines[0].index("95 %")
    assert [line[at : at + 5] for line in lines[2:]] == ["63-84", "53-98"]


def test_rows_are_data() -> None:
    record = json.loads(json.dumps(rows(SCORES)))[0]
    assert (record["name"], record["correct"], record["total"], record["value"]) == ("answers", 45, 60, 0.75)
    assert record["interval"] == pytest.approx(list(wilson(45, 60)))
    assert record["baselines"] == {"majority": 0.25, "blind": pytest.approx(1 / 3)}


def result() -> BenchmarkResult:
    picture = Image.new("RGB", (8, 8), "red")
    asked = {"task": "understanding", "scene": 0, "question": "<b>what?</b>", "answer": "", "truth": "a & b"}
    drawn = {"task": "generation", "scene": 0, "prompt": "a <cat>", "picture": "drawing-0.png"}
    items = [
        {**asked, "right": False},
        {**asked, "question": "how many?", "answer": "two", "truth": "two", "right": True},
        {**drawn, "objects_right": 1, "objects": 2},
    ]
    pictures = {"scene-0.png": picture, "drawing-0.png": picture}
    return BenchmarkResult("made@3", list(SCORES), items, pictures, "by A & B")


def test_the_page_holds_all_and_needs_no_network(tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", result(), "Mine <first>")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert html.escape(text_table(SCORES)) in text
    assert text.count("<img ") == text.count("data:image/png;base64,") == 2
    for told in (
        "Mine &lt;first&gt;",
        "&lt;b&gt;what?&lt;/b&gt;",
        "a &amp; b",
        "a &lt;cat&gt;",
        "made@3",
        "by A &amp; B",
    ):
        assert told in text
    assert "1 of 2 objects" in text
    for outside in ("http:", "https:", "//cdn", "<script", "<link", "url(", "@import"):
        assert outside not in text
    assert "prefers-color-scheme" in text or "color-scheme: light dark" in text


def test_a_page_without_pictures_or_items(tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", BenchmarkResult("made@3", list(SCORES)), "x")
    assert "<img" not in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def session(tiny: ModuleType) -> Session:
    built = tiny.build(tiny.recipe("both", image_size=64))
    built.model.eval()
    return Session(built, "tiny one", {"recipe": "tiny"})


def choice(**options: object) -> ComponentChoice:
    return ComponentChoice(type="openmoji_scenes", options={"scenes": 2, **options})


@pytest.mark.silent_failure(24)
def test_a_benchmark_on_a_tiny_model(session: Session, tmp_path: Path) -> None:
    found = run_benchmark(choice(), session, show_progress=False)
    assert re.fullmatch(r"openmoji_scenes@\d+", found.protocol)
    names = [score.name for score in found.scores]
    assert names[0] == "answers"
    assert {"drawn objects", "drawn backgrounds"} <= set(names)
    parts = [score for score in found.scores if score.name.startswith("answers: ")]
    assert found.scores[0].total == sum(score.total for score in parts) > 0
    for score in found.scores:
        assert 0 <= score.correct <= score.total
        assert score.baselines
        assert all(0 <= value <= 1 and math.isfinite(value) for value in score.baselines.values())
    drawn = next(score for score in found.scores if score.name == "drawn objects")
    assert drawn.ceilings["true scenes"] == 1.0
    assert "CC BY-SA" in found.attribution or "CC-BY-SA" in found.attribution
    write_result(tmp_path / "bench", found, session, "title")
    about = json.loads((tmp_path / "bench" / "scores.json").read_text(encoding="utf-8"))
    assert about["protocol"] == found.protocol  # row 24: a number comes with the protocol that made it
    assert about["random_weights"] == ["encoders.image", "language_model", "generation_tokenizer"]
    assert about["provenance"]["benchmark"]["component"] == "openmoji_scenes/openmoji_scenes"
    assert about["provenance"]["language_model"] == session.built.provenance["language_model"]
    assert all(len(item["code_sha256"]) == 64 for item in about["provenance"].values())
    assert [record["name"] for record in about["scores"]] == names
    for score in found.scores:  # every number can be had again from the items alone
        counts = [item["counts"][score.name] for item in found.items if score.name in item["counts"]]
        assert [sum(column) for column in zip(*counts, strict=True)] == [score.correct, score.total]
        assert score.task in ("understanding", "generation")
    lines = (tmp_path / "bench" / "items.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == found.items
    assert len(lines) == found.scores[0].total + 2
    table = (tmp_path / "bench" / "table.txt").read_text(encoding="utf-8")
    assert table.startswith(text_table(found.scores))
    assert "RANDOM" in table
    assert "encoders.image" in table.rpartition("RANDOM")[2]
    assert {path.name for path in (tmp_path / "bench").glob("*.png")} == set(found.pictures)


@pytest.mark.parametrize("mode", ["understanding", "generation"])
def test_a_model_with_one_side_is_measured_on_that_side(mode: str, tiny: ModuleType, tmp_path: Path) -> None:
    built = tiny.build(tiny.recipe(mode, image_size=64))
    built.model.eval()
    session = Session(built, "one side", {"recipe": "tiny"})
    found = run_benchmark(choice(), session, show_progress=False)
    assert {score.task for score in found.scores} == {item["task"] for item in found.items} == {mode}
    write_result(tmp_path / "bench", found, session, "title")


def test_a_benchmark_gives_the_same_twice(session: Session) -> None:
    first, second = (run_benchmark(choice(), session, limit=1, show_progress=False) for _ in range(2))
    assert first.items == second.items
    assert rows(first.scores) == rows(second.scores)
    assert {item["scene"] for item in first.items} == {0}


def test_a_benchmark_leaves_out_what_the_model_cannot(tiny: ModuleType) -> None:
    for mode, has, lacks in (("understanding", "answers", "drawn objects"), ("generation", "drawn objects", "answers")):
        built = tiny.build(tiny.recipe(mode, image_size=64))
        names = {s.name for s in run_benchmark(choice(), Session(built), limit=1, show_progress=False).scores}
        assert has in names
        assert lacks not in names


def test_pictures_of_another_size_are_refused_by_name(tiny: ModuleType) -> None:
    built = tiny.build(tiny.recipe("generation", image_size=32))
    with pytest.raises(UserError, match="64"):
        run_benchmark(choice(), Session(built), limit=1, show_progress=False)


def test_wrong_names_and_options_are_told(session: Session) -> None:
    with pytest.raises(UserError, match="openmoji_scenes"):
        run_benchmark(ComponentChoice(type="openmoji_scene"), session)
    with pytest.raises(UserError, match="scenes"):
        run_benchmark(choice(scene=2), session)


def test_a_failed_page_leaves_no_half_written_result(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import janus_bench.run

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "page.html")

    monkeypatch.setattr(janus_bench.run, "write_page", full)
    with pytest.raises(OSError, match="No space"):
        write_result(tmp_path / "bench", result(), session, "x")
    assert list(tmp_path.iterdir()) == []
