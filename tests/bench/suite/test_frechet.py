"""COCO-30K and MJHQ-30K: the tools' numbers, what is refused, and runs with a stand-in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from janus_bench.suite.coco30k import benchmark as coco
from janus_bench.suite.frechet.options import FrechetOptions
from janus_bench.suite.mjhq30k import benchmark as mjhq
from janus_core.errors import UserError
from janus_core.interfaces import BuildContext, Picture

FIXTURE = Path(__file__).parents[2] / "fixtures/evaluation/fid"
OFFICIAL = json.loads((FIXTURE / "official_output.json").read_text())


def coco30k(**options: Any) -> coco.Coco30k:
    return coco.build(FrechetOptions(**options), BuildContext())


def mjhq30k(**options: Any) -> mjhq.Mjhq30k:
    return mjhq.build(FrechetOptions(**options), BuildContext())


@pytest.mark.parametrize(
    ("annotations", "predictions"),
    [(".", "."), ("features.npz", "features.npz"), ("features.npz:real", "features.npz:fake")],
)
def test_the_numbers_by_category(annotations: str, predictions: str) -> None:
    card = mjhq30k(kid_subset_size=50).score("fid-clean", FIXTURE / predictions, FIXTURE / annotations)
    assert card.scores[0].name == "FID[unknown]" and card.stand_in
    assert card.scores[0].value == pytest.approx(OFFICIAL["mjhq_overall_clean_fid"], rel=1e-6)
    by_name = {score.name: score for score in card.scores}
    for category, value in OFFICIAL["mjhq_per_category_clean_fid"].items():
        assert by_name[f"{category}: FID[unknown]"].value == pytest.approx(value, rel=1e-6)
        assert by_name[f"{category}: FID[unknown]"].total == 12
    mean = card.details["mean_of_category_fids_is_NOT_overall"]
    assert mean == pytest.approx(OFFICIAL["mean_of_category_fids_is_NOT_overall"], rel=1e-6)
    name = "clean_fid_kernel_distance(np.random.seed(0),num_subsets=100,max_subset_size=50)"
    assert by_name["KID[unknown]"].value == pytest.approx(OFFICIAL["kid"][name], rel=1e-6)
    assert [item.id for item in card.items[:2]] == ["open0000", "open0001"] and card.items[0].score is None
    assert card.items[1].facts == {"row": 1, "category": "art"} and len(card.items) == 120
    assert mjhq30k().aggregate("fid-clean", card.items) == {}
    assert card.details["spread"]["standard_error"] > 0


def test_statistics_of_pytorch_fid_are_taken_and_what_they_hide_is_said() -> None:
    bench = coco30k(extractor="inception-2015")
    card = bench.score("fid-pytorch", FIXTURE / "features.npz", FIXTURE / "ref_stats_pytorch_fid.npz")
    assert [score.name for score in card.scores] == ["FID[inception-2015]"] and not card.stand_in
    assert card.scores[0].value == pytest.approx(OFFICIAL["fid"]["real_vs_fake"]["pytorch_fid"], rel=1e-6)
    text = "\n".join(card.warnings)
    for said in ("the number of pictures is not stated", "does not say how it was made", "width 2048", "are of 30000"):
        assert said in text


def test_few_pictures_are_warned_of() -> None:
    card = coco30k().score(
        "fid-clean", Path(f"{FIXTURE}/features.npz:few_fake"), Path(f"{FIXTURE}/features.npz:few_real")
    )
    expected = OFFICIAL["fid"]["few_samples(N<D)"]["clean_fid"]
    assert card.scores[0].value == pytest.approx(expected, rel=1e-3)
    assert any("real 8, fake 9; D 16" in warning for warning in card.warnings)
    assert card.details["spread"] is None


def test_rows_that_cannot_be_categories_are_told() -> None:
    card = mjhq30k().score("fid-clean", Path(f"{FIXTURE}/features.npz:collapsed"), FIXTURE)
    assert any("has 30 rows for 120 ids" in warning for warning in card.warnings)
    assert "per_category" not in card.details


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="reference set"):
        coco30k().score("fid-clean", FIXTURE, None)
    with pytest.raises(UserError, match="needs its weights"):
        coco30k().score("fid-clean", FIXTURE / "images", FIXTURE)
    with pytest.raises(UserError, match="no folder and no"):
        coco30k().score("fid-clean", FIXTURE / "README.md", FIXTURE)
    bench = coco30k(extractor="pixels")
    bench.score("fid-clean", FIXTURE / "images", FIXTURE / "images")
    values = np.random.default_rng(0).random((9, 48))
    np.savez(tmp_path / "clean.npz", features=values, extractor="pixels", preprocess="clean-4")
    np.savez(tmp_path / "other.npz", features=values, extractor="effnet-lite0", preprocess="clean-4")
    with pytest.raises(UserError, match="prepares as pytorch-fid"):
        bench.score("fid-pytorch", FIXTURE / "images", tmp_path / "clean.npz")
    with pytest.raises(UserError, match="not of pixels"):
        bench.score("fid-clean", FIXTURE / "images", tmp_path / "other.npz")
    with pytest.raises(UserError, match="extractor"):
        coco30k().score("fid-clean", tmp_path / "clean.npz", tmp_path / "other.npz")
    assert coco30k().score("fid-clean", tmp_path / "clean.npz", tmp_path / "clean.npz").stand_in


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    shutil.copytree(FIXTURE / "images", tmp_path / "images")
    (tmp_path / "images/zz.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"zz\.png is not a picture"):
        coco30k(extractor="pixels").score("fid-clean", tmp_path / "images", FIXTURE / "images")


class Work:
    """Draws noise that depends on the prompt; notes what was asked."""

    def __init__(self, folder: Path, data: Path, protocol: str, limit: int | None = None) -> None:
        self.folder, self.data, self.protocol, self.limit, self.seed = folder, data, protocol, limit, 3
        self.session = SimpleNamespace()
        self.prompts: list[str] = []
        folder.mkdir(exist_ok=True)

    def draw(self, name: str, prompts: Sequence[str], *, images_per_prompt: int = 1, sampling: Any = None) -> Any:
        self.prompts = list(prompts)
        return [
            Picture(noise(self.folder / f"{name}-{number}.png", len(prompt) + number), number, 0)
            for number, prompt in enumerate(prompts)
        ]

    def progress(self, items: Any, what: str) -> Any:
        return items


def noise(path: Path, seed: int) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 10, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def mjhq_data(tmp_path: Path) -> Path:
    meta = {f"id{i}": {"category": ("art", "food")[i % 2], "prompt": f"prompt {i}"} for i in range(8)}
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "meta_data.json").write_text(json.dumps(meta))
    for number, (name, record) in enumerate(meta.items()):
        noise(folder / "imgs" / record["category"] / f"{name}.jpg", 100 + number)
    return folder


@pytest.mark.parametrize("protocol", ["fid-clean", "fid-pytorch"])
def test_a_run_of_mjhq_can_be_scored_again(protocol: str, mjhq_data: Path, tmp_path: Path) -> None:
    if protocol == "fid-pytorch":
        for path in sorted((mjhq_data / "imgs").rglob("*.jpg")):
            path.rename(mjhq_data / "imgs" / path.name)
    work = Work(tmp_path / "run", mjhq_data, protocol)
    bench = mjhq30k(extractor="pixels")
    card = bench.run(work)  # type: ignore[arg-type]
    assert work.prompts == [f"prompt {i}" for i in range(8)] and card.stand_in
    assert {"art: FID[pixels]", "food: FID[pixels]"} <= {score.name for score in card.scores}
    assert (tmp_path / "run/imgs" / ("" if protocol == "fid-pytorch" else "food") / "id1.png").is_file()
    prepared = {"fid-clean": "clean-4", "fid-pytorch": "pytorch-fid-4"}[protocol]
    assert (card.settings["seed"], card.settings["preprocess"]["fake"]) == (3, prepared)
    for predictions in (tmp_path / "run", tmp_path / "run/imgs", tmp_path / "run/features.npz"):
        again = bench.score(protocol, predictions, mjhq_data)
        assert {s.name: s.value for s in again.scores} == pytest.approx({s.name: s.value for s in card.scores})
        assert again.items == card.items


def test_missing_and_strange_drawings_are_told(mjhq_data: Path, tmp_path: Path) -> None:
    bench = mjhq30k(extractor="pixels")
    bench.run(Work(tmp_path / "run", mjhq_data, "fid-clean"))  # type: ignore[arg-type]
    drawn = tmp_path / "run/imgs"
    (drawn / "art/id2.png").unlink()
    noise(drawn / "food/stranger.png", 7)
    noise(drawn / "food/id1.jpg", 8)
    card = bench.score("fid-clean", drawn, mjhq_data)
    assert [item.id for item in card.items if item.status == "missing"] == ["id2"]
    text = "\n".join(card.warnings)
    assert "1 drawings are missing" in text and "not asked, counted as the tools do: stranger" in text
    totals = {score.name: score.total for score in card.scores}
    assert "more than one picture, all are counted: id1" in text
    assert (totals["FID[pixels]"], totals["food: FID[pixels]"], totals["art: FID[pixels]"]) == (9, 6, 3)


def test_a_run_of_coco(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for number in range(6):
        noise(data / "val2014" / f"COCO_val2014_{number:012d}.jpg", number)
    (data / "coco_captions.csv").write_text('Prompt\n"a cat, sitting"\na dog\n"two\nbirds"\na tree\n')
    work = Work(tmp_path / "run", data, "fid-clean-256", limit=3)
    bench = coco30k(extractor="pixels")
    card = bench.run(work)  # type: ignore[arg-type]
    assert work.prompts == ["a cat, sitting", "a dog", "two\nbirds"]
    assert card.details["n"] == {"real": 6, "fake": 3} and card.protocol == "coco30k@fid-clean-256"
    assert (tmp_path / "run/captions.txt").read_text() == "a cat, sitting\na dog\ntwo birds\n"
    assert (tmp_path / "run/images/000002.png").is_file()
    again = bench.score("fid-clean-256", tmp_path / "run/images", data)
    assert again.scores == card.scores and again.items == card.items
    statistics = bench.score("fid-clean-256", tmp_path / "run", tmp_path / "run/reference_statistics.npz")
    assert statistics.scores[0] == card.scores[0]
    (data / "coco_captions.csv").write_text("Caption\na cat\n")
    with pytest.raises(UserError, match="no column 'Prompt'"):
        bench.run(work)  # type: ignore[arg-type]


def test_categories_that_are_malformed_are_refused(tmp_path: Path) -> None:
    for text, named in (
        ("[]", "not an object of ids"),
        ('{"a": 1}', "id 'a'"),
        ('{"a": {"prompt": ""}}', "'category'"),
    ):
        (tmp_path / "meta_data.json").write_text(text)
        with pytest.raises(UserError) as caught:
            mjhq30k(categories=tmp_path / "meta_data.json").score("fid-clean", FIXTURE, FIXTURE)
        assert named in str(caught.value)


def test_clip_score_is_the_mean_cosine_of_items(mjhq_data: Path, tmp_path: Path) -> None:
    import open_clip

    text = {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
    vision = {"image_size": 32, "layers": 1, "width": 16, "patch_size": 16, "head_width": 8}
    config = {"embed_dim": 16, "vision_cfg": vision, "text_cfg": text}
    (tmp_path / "tiny-score-clip.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "tiny-score-clip.json")
    torch.manual_seed(0)
    model = open_clip.create_model("tiny-score-clip").eval()
    torch.save(model.state_dict(), tmp_path / "clip.pt")
    bench = mjhq30k(
        extractor="pixels", clip_score=True, clip_weights=tmp_path / "clip.pt", clip_model="tiny-score-clip"
    )
    card = bench.run(Work(tmp_path / "run", mjhq_data, "fid-clean"))  # type: ignore[arg-type]
    name = "CLIPScore[tiny-score-clip]"
    transform = open_clip.create_model_and_transforms("tiny-score-clip")[2]
    image = transform(Image.open(tmp_path / "run/imgs/food/id1.png").convert("RGB"))
    with torch.no_grad():
        seen = model.encode_image(image[None], normalize=True)
        said = model.encode_text(open_clip.get_tokenizer("tiny-score-clip")(["prompt 1"]), normalize=True)
    by_id = {item.id: item for item in card.items}
    assert by_id["id1"].facts["scores"][name] == pytest.approx(float(100 * (seen * said).sum()), abs=1e-3)
    values = [item.facts["scores"][name] for item in card.items]
    (score,) = (score for score in card.scores if score.name == name)
    assert score.value == max(sum(values) / len(values), 0.0)
    assert bench.aggregate("fid-clean", card.items) == {name: score.value}
    with pytest.raises(UserError, match="clip_weights"):
        mjhq30k(extractor="pixels", clip_score=True).score("fid-clean", tmp_path / "run/imgs", mjhq_data)


def test_the_inception_score_of_known_logits(tmp_path: Path) -> None:
    from janus_bench.suite.frechet.extras import inception_score

    paths = {str(i): noise(tmp_path / f"{i}.png", i) for i in range(20)}
    told: list[int] = []

    def logits(images: Sequence[Image.Image]) -> Any:
        told.extend(range(len(images)))
        return np.array([[50.0, 0.0] if number % 2 else [0.0, 50.0] for number in range(len(images))])

    network: Any = SimpleNamespace(id="two classes", logits=logits)
    state = torch.random.get_rng_state()
    mean, deviation = inception_score(paths, network, seed=0)
    assert torch.equal(state, torch.random.get_rng_state()) and len(told) == 20
    assert 1 <= mean <= 2 and (mean, deviation) == inception_score(paths, network, seed=0)
    with pytest.raises(UserError, match="gives no logits"):
        inception_score(paths, SimpleNamespace(id="x"), seed=0)  # type: ignore[arg-type]
