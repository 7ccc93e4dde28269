"""GenEval against the official scorer's numbers, its traps, broken files, and a run with a stand-in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from janus_bench.detectors.classes import CLASSES
from janus_bench.detectors.interface import COLOURS, Detection
from janus_bench.suite.geneval import files
from janus_bench.suite.geneval.benchmark import GenEval, build
from janus_bench.suite.geneval.judge import Found, Rules, judge, overlap, relations
from janus_bench.suite.geneval.options import GenEvalOptions
from janus_core.errors import UserError
from janus_core.interfaces import BuildContext, Picture

FIXTURE = Path(__file__).parents[2] / "fixtures/evaluation/geneval"
OFFICIAL = json.loads((FIXTURE / "official_output.json").read_text())
DETECTIONS = json.loads((FIXTURE / "detections.json").read_text())


def geneval(**options: Any) -> GenEval:
    return build(GenEvalOptions(**options), BuildContext())


def write(folder: Path, detections: Any) -> Path:
    path = folder / "detections.json"
    path.write_text(detections if isinstance(detections, str) else json.dumps(detections))
    return path


@pytest.mark.parametrize(
    ("predictions", "annotations"),
    [
        ("detections.json", "evaluation_metadata.jsonl"),
        ("detections.json", "."),
        ("detections.json", None),
        (".", "images"),
        (".", None),
        ("results.jsonl", None),
        ("results.jsonl", "."),
    ],
)
def test_the_official_numbers(predictions: str, annotations: str | None) -> None:
    card = geneval().score("official", FIXTURE / predictions, None if annotations is None else FIXTURE / annotations)
    for name in OFFICIAL.keys() - {"scorer"}:
        assert card.details[name] == OFFICIAL[name]
    assert card.details["summary"] == (FIXTURE / "summary.stdout.txt").read_text()
    assert card.scores[0].value == pytest.approx(np.mean([1 / 2, 1 / 4, 1 / 2, 1 / 2, 1 / 6, 1 / 4]), abs=1e-15)
    assert (card.protocol, card.missing, card.warnings, card.stand_in) == ("geneval@official", 0, [], "")


@pytest.mark.parametrize("protocol", ["official", "repaired", "rewritten"])
def test_the_items_alone_give_the_scores(protocol: str, tmp_path: Path) -> None:
    some = {name: found for name, found in DETECTIONS.items() if not name.endswith("0002.png")}
    card = geneval().score(protocol, write(tmp_path, some), FIXTURE)
    assert geneval().aggregate(protocol, card.items) == {score.name: score.value for score in card.scores}
    assert card.missing == 5


def test_the_records_are_the_official_lines() -> None:
    card = geneval().score("official", FIXTURE / "detections.json", FIXTURE)
    assert card.records == [json.loads(line) for line in (FIXTURE / "results.jsonl").read_text().splitlines()]


def test_a_missing_picture_leaves_the_official_mean_and_is_wrong_in_the_repaired_one(tmp_path: Path) -> None:
    some = {name: found for name, found in DETECTIONS.items() if name != "00000/samples/0001.png"}
    cards = {p: geneval().score(p, write(tmp_path, some), FIXTURE) for p in ("official", "repaired")}
    assert [(s.correct, s.total) for s in cards["official"].scores if s.name == "single_object"] == [(2, 3)]
    assert [(s.correct, s.total) for s in cards["repaired"].scores if s.name == "single_object"] == [(2, 4)]
    for card in cards.values():
        assert [item.id for item in card.items if item.status == "missing"] == ["00000/samples/0001.png"]
        assert any("1 pictures are missing" in each and "00000/samples/0001.png" in each for each in card.warnings)


def test_a_picture_that_nobody_has_looked_at_is_missing(tmp_path: Path) -> None:
    shutil.copytree(FIXTURE / "images", tmp_path / "images")
    write(tmp_path, {name: found for name, found in DETECTIONS.items() if name != "00004/samples/0005.png"})
    card = geneval().score("repaired", tmp_path, FIXTURE)
    assert [item.id for item in card.items if item.status == "missing"] == ["00004/samples/0005.png"]
    (tmp_path / "images/00004/samples/0000.png").unlink()
    card = geneval().score("official", tmp_path, FIXTURE)
    assert any("without a picture" in each and "00004/samples/0000.png" in each for each in card.warnings)
    assert [s.total for s in card.scores if s.name == "position"] == [4]


def test_order_does_not_matter_and_strangers_are_named(tmp_path: Path) -> None:
    turned = dict(reversed(DETECTIONS.items())) | {"00099/samples/0000.png": [], "grid.png": []}
    card = geneval().score("official", write(tmp_path, turned), FIXTURE)
    assert card.details["per_image"] == OFFICIAL["per_image"]
    assert list(card.details["tags_pct_correct_total"]) == list(OFFICIAL["tags_pct_correct_total"])
    assert card.warnings == ["not among the prompts, not scored: 00099/samples/0000.png, grid.png"]


def test_equal_prompts_are_one_officially_and_two_when_repaired(tmp_path: Path) -> None:
    line = (FIXTURE / "evaluation_metadata.jsonl").read_text().splitlines()[0]
    (tmp_path / "evaluation_metadata.jsonl").write_text(f"{line}\n{line}\n")
    found = {f"{p:05d}/samples/{s:04d}.png": DETECTIONS[f"00000/samples/000{p}.png"] for p in (0, 1) for s in range(4)}
    cards = {p: geneval().score(p, write(tmp_path, found), tmp_path) for p in ("official", "repaired")}
    assert cards["official"].details["pct_correct_prompts"] == 100
    assert cards["repaired"].details["pct_correct_prompts"] == 50
    assert any("00000, 00001" in warning for warning in cards["official"].warnings)


def test_a_prompt_that_is_resampled_twice_counts_twice() -> None:
    card = geneval().score("official", FIXTURE / "detections.json", FIXTURE)
    wrong = [item for item in card.items if item.cluster == "00001" and not item.score]
    right = [item for item in card.items if item.cluster == "00000"]
    values = geneval().aggregate("official", [*wrong, *right, *right])
    assert values["correct prompts"] == pytest.approx(2 / (2 + 3 / 4))
    assert values["overall"] == pytest.approx((0 + 1 / 2) / 2)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        ('{"00000/samples/0000.png": 3}', "00000/samples/0000.png"),
        ('{"00000/samples/0000.png": [{"class": "dog"}]}', "'score'"),
        ('{"00000/samples/0000.png": [{"class": "dog", "score": 1, "box": [1, 2, 3]}]}', "box [1, 2, 3]"),
        ('{"00000/samples/0000.png": [{"class": "dog", "score": NaN, "box": [1, 2, 3, 4]}]}', "nan"),
        (
            '{"0/samples/0.png": [], "0/samples/0.png": [{"class": "dog", "score": 1, "box": [1,2,3,4]}]}',
            "twice",
        ),
    ],
)
def test_malformed_detections_are_refused_by_place(text: str, named: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        geneval().score("official", write(tmp_path, text), FIXTURE)
    assert named in str(caught.value)


def test_equal_copies_of_a_picture_are_one(tmp_path: Path) -> None:
    text = (
        json.dumps(DETECTIONS)[:-1] + ', "00000/samples/0001.png": ' + json.dumps(DETECTIONS["00000/samples/0001.png"])
    )
    card = geneval().score("official", write(tmp_path, text + "}"), FIXTURE)
    assert card.details["per_image"] == OFFICIAL["per_image"]
    assert card.warnings == ["twice in the detections, alike: 00000/samples/0001.png"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"tag": None}, "'tag'"),
        ({"include": [{"class": "dog", "count": 0}]}, "include 0"),
        ({"include": [{"class": "dog", "count": 1, "position": ["left of", 0]}]}, "position"),
        ({"include": [{"class": "dog", "count": 1}, {"class": "cat", "count": 1, "position": ["near", 0]}]}, "near"),
    ],
)
def test_malformed_prompts_are_refused_by_number(change: dict[str, Any], named: str, tmp_path: Path) -> None:
    line = {"tag": "counting", "include": [], "prompt": "a dog"}
    (tmp_path / "evaluation_metadata.jsonl").write_text(json.dumps(line) + "\n" + json.dumps(line | change))
    with pytest.raises(UserError, match="prompt 1") as caught:
        geneval().score("official", FIXTURE / "detections.json", tmp_path)
    assert named in str(caught.value)


def test_prompts_of_other_pictures_are_refused(tmp_path: Path) -> None:
    lines = (FIXTURE / "evaluation_metadata.jsonl").read_text().splitlines()
    (tmp_path / "evaluation_metadata.jsonl").write_text("\n".join([*lines[:4], lines[5], lines[4]]))
    for predictions in (FIXTURE, FIXTURE / "results.jsonl"):
        with pytest.raises(UserError, match="00004"):
            geneval().score("official", predictions, tmp_path)


def test_nothing_to_score_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds none of"):
        geneval().score("official", tmp_path, FIXTURE)
    with pytest.raises(UserError, match="there is no"):
        geneval().score("official", tmp_path / "x.json", FIXTURE)
    with pytest.raises(UserError, match="no detector is chosen"):
        geneval().score("official", FIXTURE / "images", FIXTURE)


def test_colours_that_nobody_named_count_as_none_and_are_told(tmp_path: Path) -> None:
    blind = {name: [each | {"color": None} for each in found] for name, found in DETECTIONS.items()}
    card = geneval().score("official", write(tmp_path, blind), FIXTURE)
    assert card.details["tags_pct_correct_total"]["colors"] == [0.0, 0, 4]
    assert card.details["per_image"]["00003/samples/0000.png"]["reason"].endswith("found 0 blue; and ")
    assert any("none of the ten colours" in warning for warning in card.warnings)


def detection(label: str, score: float, box: Sequence[float] = (0, 0, 10, 10), colour: str | None = None) -> Detection:
    return Detection(label, tuple(box), score, colour)  # type: ignore[arg-type]


def test_thresholds_are_strict_in_float32() -> None:
    dog = {"tag": "counting", "include": [{"class": "dog", "count": 1}]}
    for score, right in ((0.9, False), (0.9 + 1e-9, False), (0.9000001, True)):
        assert judge([detection("dog", score)], dog, Rules()).correct is right


def test_only_the_most_certain_objects_are_looked_at() -> None:
    metadata = {"tag": "colors", "include": [{"class": "dog", "count": 1, "color": "blue"}]}
    both = [detection("dog", 0.5, colour="blue"), detection("dog", 0.6, colour="red")]
    assert judge(both, metadata, Rules()).reason == "expected blue dog>=1, found 0 blue; and 1 red"
    most = [detection("dog", 0.99)] * 20
    counting = {"tag": "counting", "include": [{"class": "dog", "count": 17}]}
    assert judge(most, counting, Rules()).reason == "expected dog>=17, found 16"
    assert len(judge(most, counting, Rules(max_overlap=0.5)).found["dog"]) == 1


def test_equal_confidences_keep_their_order_when_repaired() -> None:
    metadata = {"tag": "colors", "include": [{"class": "dog", "count": 1, "color": "blue"}]}
    tied = [detection("dog", 0.5, colour=colour) for colour in ("blue", *["red"] * 7)]
    assert judge(tied, metadata, Rules(stable=True)).correct
    assert not judge(tied[::-1], metadata, Rules(stable=True)).correct


def test_overlap_counts_the_last_pixels() -> None:
    box = np.array([0, 0, 9, 9, 1], np.float32)
    other = np.array([0, 0, 9, 4, 1], np.float32)
    assert overlap(box, other) == np.float32(0.5)
    assert overlap(box, np.array([20, 20, 29, 29, 1], np.float32)) == 0


def test_positions_against_plain_geometry() -> None:
    generator = np.random.default_rng(0)
    seen = set()
    for _ in range(300):
        low, size = generator.integers(0, 100, (2, 2)), generator.integers(1, 60, (2, 2))
        boxes = [Found(np.array([*c, *(c + s), 1], np.float32), None) for c, s in zip(low, size, strict=True)]
        dx, dy = (low[0] + size[0] / 2) - (low[1] + size[1] / 2)
        length = np.hypot(dx, dy)
        expected = []
        for offset, extent, (less, more) in (
            (dx, 0.1 * size[:, 0].sum(), ("left of", "right of")),
            (dy, 0.1 * size[:, 1].sum(), ("above", "below")),
        ):
            part = max(abs(offset) - extent, 0) / length if length else 0
            if part > 0.5:
                expected.append(less if offset < 0 else more)
        found = relations(boxes[0], boxes[1], 0.1)
        assert found == expected
        seen |= set(found)
    assert seen == set(files.RELATIONS)


class Work:
    """Draws a disc of a prompt's colour on white; notes what was asked."""

    def __init__(self, folder: Path, data: Path, protocol: str = "official", limit: int | None = None) -> None:
        self.folder, self.data, self.protocol, self.limit, self.seed = folder, data, protocol, limit, 7
        self.session = SimpleNamespace()
        self.prompts: list[str] = []

    def draw(self, name: str, prompts: Sequence[str], *, images_per_prompt: int = 1, sampling: Any = None) -> Any:
        self.prompts, self.sampling = list(prompts), sampling
        drawn = []
        for number, prompt in enumerate(prompts):
            for sample in range(images_per_prompt):
                path = self.folder / f"{name}-{number}-{sample}.png"
                image = Image.new("RGB", (48, 48), "white")
                colour = next((each for each in COLOURS if each in prompt), "gray")
                ImageDraw.Draw(image).ellipse((8, 8, 40, 40), fill=colour)
                image.save(path)
                drawn.append(Picture(path, number, sample))
        return drawn

    def progress(self, items: Any, what: str) -> Any:
        return items


@pytest.fixture
def data(tmp_path: Path) -> Path:
    prompts = [
        {"tag": "single_object", "include": [{"class": "sports ball", "count": 1}], "prompt": "a sports ball"},
        {"tag": "colors", "include": [{"class": "sports ball", "count": 1, "color": "blue"}], "prompt": "a blue ball"},
        {"tag": "single_object", "include": [{"class": "book", "count": 1}], "prompt": "a book"},
    ]
    folder = tmp_path / "data"
    folder.mkdir()
    files.write_lines(folder / "evaluation_metadata.jsonl", prompts)
    return folder


def test_a_run_draws_looks_judges_and_can_be_scored_again(data: Path, tmp_path: Path) -> None:
    work = Work(tmp_path, data)
    bench = geneval(detector="stand-in", images_per_prompt=2)
    card = bench.run(work)  # type: ignore[arg-type]
    assert work.prompts == ["a sports ball", "a blue ball", "a book"]
    assert card.details["tags_pct_correct_total"] == {"single_object": [50.0, 2, 4], "colors": [100.0, 2, 2]}
    assert card.stand_in and card.settings["detector"] == "stand-in-shapes-1"
    assert card.settings["seed"] == 7 and card.settings["guidance"] == work.sampling.guidance == 5.0
    again = bench.score("official", tmp_path, None)
    assert (again.scores, again.items, again.stand_in) == (card.scores, card.items, card.stand_in)
    judged = geneval(images_per_prompt=2).score("official", tmp_path / "results.jsonl", None)
    assert judged.scores == card.scores
    assert json.loads((tmp_path / "images/00001/metadata.jsonl").read_text())["prompt"] == "a blue ball"
    assert (tmp_path / "images/00002/samples/0001.png").is_file()


def test_looking_goes_on_where_it_stopped(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from janus_bench.detectors.stand_in import ShapeDetector

    bench = geneval(detector="stand-in", images_per_prompt=2)
    first = bench.run(Work(tmp_path, data))  # type: ignore[arg-type]
    lines = (tmp_path / "detections.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "detections.jsonl").write_text("".join(lines[:4]) + lines[4][:20])
    looked, real = [], ShapeDetector.detect
    monkeypatch.setattr(ShapeDetector, "detect", lambda self, image: looked.append(1) or real(self, image))
    assert bench.run(Work(tmp_path, data)).scores == first.scores  # type: ignore[arg-type]
    assert len(looked) == 3
    (tmp_path / "detections.jsonl").write_text('{"detector": "another", "colour_classifier": "another"}\n')
    with pytest.raises(UserError, match="another"):
        bench.run(Work(tmp_path, data))  # type: ignore[arg-type]


def test_rewritten_prompts_are_drawn_in_place_and_marked(data: Path, tmp_path: Path) -> None:
    (data / "rewritten_prompts.txt").write_text("a red ball on grass\na very blue ball\na big book\n")
    work = Work(tmp_path, data, "rewritten", limit=2)
    card = geneval(detector="stand-in", images_per_prompt=1).run(work)  # type: ignore[arg-type]
    assert work.prompts == ["a red ball on grass", "a very blue ball"]
    assert any("not comparable" in warning for warning in card.warnings)
    (data / "rewritten_prompts.txt").write_text("one\n")
    with pytest.raises(UserError, match="1 lines for 3 prompts"):
        geneval(detector="stand-in").run(work)  # type: ignore[arg-type]


def test_the_classes_are_those_of_coco() -> None:
    assert len(set(CLASSES)) == 80 and CLASSES[0] == "person" and CLASSES[64] == "computer mouse"
