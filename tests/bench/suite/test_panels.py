"""The panels: a tokenizer's reconstructions, an encoder's features."""

from __future__ import annotations

import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from janus_bench.chosen import chosen_benchmark
from janus_bench.run import How, run_benchmark
from janus_bench.stored import Stored
from janus_bench.suite.encoder_panel.probes import linear, nearest
from janus_core.config.recipe import ComponentChoice
from janus_core.errors import UserError
from janus_core.inference.session import Session


@pytest.fixture(scope="module")
def session(tiny: ModuleType) -> Session:
    built = tiny.build(tiny.recipe("both", image_size=32))
    built.model.eval()
    return Session(built, "tiny one", {"recipe": "tiny"})


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train/ and test/ of two classes: reddish and bluish noise."""
    folder = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    for split, count in (("train", 6), ("test", 4)):
        for name, channel in (("red", 0), ("blue", 2)):
            for number in range(count):
                pixels = generator.integers(0, 90, (40, 48, 3), dtype=np.uint8)
                pixels[..., channel] += 150
                path = folder / split / name / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
    return folder


def run(session: Session, name: str, data: Path | None, **options: object) -> Stored:
    choice = ComponentChoice(type=name, options=dict(options))
    return run_benchmark(chosen_benchmark(choice), session, How(data=data))


def test_the_tokenizer_panel_measures_what_the_tokenizer_draws(session: Session, pictures: Path) -> None:
    card = run(session, "tokenizer_panel", pictures, extractor="pixels").card
    values = {score.name: score.value for score in card.scores}
    built = session.built
    transform, layout = built.target_transform, built.model.code_layout
    assert transform is not None
    assert layout is not None
    ratios, used = [], torch.zeros(layout.codebooks[0])
    for path in sorted(pictures.rglob("*.png")):
        with Image.open(path) as image, torch.inference_mode():
            pixels = transform.collate([transform(image.convert("RGB"))])
            codes = built.model.encode_pixels(pixels)
            drawn = built.model.generation_tokenizer.decode(codes, layout).clamp(-1, 1)  # type: ignore[operator, union-attr]
        ratios.append(10 * math.log10(4 / float((drawn - pixels).square().mean())))
        used += torch.bincount(codes.flatten(), minlength=len(used))
    shares = used[used > 0] / used.sum()
    assert len(ratios) == len(card.items) == 20
    assert [item.facts["psnr"] for item in card.items] == pytest.approx(ratios, rel=1e-4)
    assert values["PSNR (dB)"] == pytest.approx(sum(ratios) / 20, rel=1e-4)
    assert values["codebook usage"] == pytest.approx(float((used > 0).float().mean()))
    assert values["codebook perplexity"] == pytest.approx(math.exp(-float((shares * shares.log()).sum())), rel=1e-4)
    assert -1 <= values["SSIM"] <= 1
    assert values["rFID[pixels]"] > 0
    assert "pixels" in card.stand_in or card.stand_in
    assert any("biased" in text for text in card.warnings)


def test_without_an_extractor_there_is_no_rfid(session: Session, pictures: Path) -> None:
    stored = run(session, "tokenizer_panel", pictures)
    assert not any(score.name.startswith("rFID") for score in stored.card.scores)
    assert set(stored.intervals) == {"PSNR (dB)", "SSIM"}
    assert not stored.card.stand_in


def test_the_encoder_panel_tells_colours_apart(session: Session, pictures: Path) -> None:
    stored = run(session, "encoder_panel", pictures, neighbours=3)
    card = stored.card
    assert [score.name for score in card.scores] == ["k-NN", "linear probe"]
    assert [(score.correct, score.total) for score in card.scores] == [(8, 8), (8, 8)]
    assert card.scores[0].baselines == {"majority": 0.5, "chance": 0.5}
    assert [item.parsed for item in card.items] == ["blue"] * 4 + ["red"] * 4
    assert card.details["classes"] == 2
    adapted = run(session, "encoder_panel", pictures, features="adapter").card
    assert adapted.details["width"] == session.built.model.language_model.width
    assert [score.total for score in adapted.scores] == [8, 8]


def test_nearest_neighbours_vote_by_likeness() -> None:
    train = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 2.0], [0.1, 0.9]])
    labels = torch.tensor([0, 1, 1, 0])
    test = torch.tensor([[5.0, 0.0], [0.0, 1.0], [1.0, 0.6]])
    options = {"classes": 2, "temperature": 0.07}
    assert nearest(train, labels, test, neighbours=1, **options).tolist() == [0, 1, 1]  # type: ignore[arg-type]
    likeness = torch.nn.functional.normalize(test) @ torch.nn.functional.normalize(train).T
    for row, guess in zip(likeness, nearest(train, labels, test, neighbours=9, **options), strict=True):  # type: ignore[arg-type]
        votes = [sum(math.exp(float(s) / 0.07) for s, c in zip(row, labels, strict=True) if c == k) for k in (0, 1)]
        assert int(guess) == votes.index(max(votes))


def test_the_linear_probe_finds_the_minimum() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(60, 5, generator=generator)
    labels = (rows[:, 0] + 0.3 * torch.randn(60, generator=generator) > 0.4).long()
    guess = linear(rows, labels, rows, classes=2, l2=1e-3)
    assert float((guess == labels).float().mean()) > 0.85
    assert linear(rows * 100 + 7, labels, rows * 100 + 7, classes=2, l2=1e-3).equal(guess)  # standardised
    assert len(linear(rows, labels, rows, classes=2, l2=1e3).unique()) == 1  # only the bias is left


def test_wrong_folders_and_routes_are_told(session: Session, pictures: Path, tmp_path: Path, tiny: ModuleType) -> None:
    with pytest.raises(UserError, match="needs pictures"):
        run(session, "encoder_panel", None)
    with pytest.raises(UserError, match="no folder train"):
        run(session, "encoder_panel", tmp_path)
    with pytest.raises(UserError, match="no route 'imagee'"):
        run(session, "encoder_panel", pictures, route="imagee")
    for split, name in (("train", "red"), ("test", "green")):
        (tmp_path / split / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / split / name / "a.png")
    with pytest.raises(UserError, match="train lacks: green"):
        run(session, "encoder_panel", tmp_path)
    (tmp_path / "test" / "loose.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"loose\.png lies in no class"):
        run(session, "encoder_panel", tmp_path)
    with pytest.raises(UserError, match=r"loose\.png is not a picture"):
        run(session, "tokenizer_panel", tmp_path)
    with pytest.raises(UserError, match="no generation tokenizer"):
        run(Session(tiny.build(tiny.recipe("understanding"))), "tokenizer_panel", pictures)
