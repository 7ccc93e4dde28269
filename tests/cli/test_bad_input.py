"""What a user gets wrong: exit code 2, a message that names the remedy, no traceback, nothing half-written."""

from __future__ import annotations

import copy
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from janus_core.cli import main
from janus_core.training import threads


@dataclass
class Place:
    """A folder to work in, with a recipe, a model that does both, one that only understands, and bad images."""

    folder: Path
    tiny: ModuleType
    capsys: pytest.CaptureFixture[str]
    recipe: dict[str, Any]

    def fails(self, *arguments: str, told: tuple[str, ...], code: int = 2) -> str:
        """Run, and check the code, the words and that no file has come or gone."""
        before = self.tiny.listing(self.folder)
        found = main([str(argument) for argument in arguments])
        text = self.capsys.readouterr().err
        assert found == code, text
        for word in told:
            assert word in text, text
        assert "Traceback" not in text
        assert len(text.splitlines()) <= 45, text
        assert self.tiny.listing(self.folder) == before
        return text

    def write(self, values: dict[str, Any], name: str = "changed.yaml") -> str:
        return str(self.tiny.write(values, self.folder / name))


@pytest.fixture(scope="module")
def prepared(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    recipe = tiny.write(tiny.recipe("both"), folder / "r.yaml")
    assert main(["train", str(recipe), "--out", str(folder / "both"), "--no-progress"]) == 0
    only = tiny.write(tiny.recipe("understanding"), folder / "only.yaml")
    assert main(["train", str(only), "--out", str(folder / "only"), "--no-progress"]) == 0
    draws = tiny.write(tiny.recipe("generation"), folder / "draws.yaml")
    assert main(["train", str(draws), "--out", str(folder / "draws"), "--no-progress"]) == 0
    images(folder)
    (folder / "full").mkdir()
    (folder / "full" / "letter.txt").write_text("dear", encoding="utf-8")
    return folder


def images(folder: Path) -> None:
    """Good and bad pictures."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8))
    noise.save(folder / "good.png")
    noise.save(folder / "good.jpg")
    (folder / "cut.jpg").write_bytes((folder / "good.jpg").read_bytes()[:-300])
    (folder / "text.png").write_text("hello", encoding="utf-8")
    (folder / "empty.png").touch()
    header = b"IHDR" + (30_000).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\r" + header + zlib.crc32(header).to_bytes(4, "big")
    (folder / "huge.png").write_bytes(header + b"\x00\x00\x00\x08IDAT" + b"\x00" * 64)
    noise.convert("RGBA").save(folder / "rgba.png")
    Image.fromarray(np.full((9, 9), 40_000, dtype=np.uint16)).save(folder / "deep.png")
    noise.save(folder / "moving.gif", save_all=True, append_images=[noise.rotate(90)])
    noise.convert("CMYK").save(folder / "cmyk.jpg")
    Image.new("RGB", (1, 400)).save(folder / "thin.png")


@pytest.fixture
def place(
    prepared: Path, tiny: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Place:
    monkeypatch.chdir(prepared)
    monkeypatch.setattr(threads, "_faster", lambda: 1)  # the trial takes seconds where cores are shared
    return Place(prepared, tiny, capsys, tiny.recipe("both"))


# -- train and recipe -------------------------------------------------------------------------------------------------

Change = Callable[[dict[str, Any]], object]
SETS: list[tuple[str, tuple[str, ...]]] = [
    ("model.encoders.image.type=siglop", ("siglop", "siglip")),
    ("model.adapters.image.type=mpl", ("mpl", "mlp")),
    ("model.language_model.options={layer: 3}", ("layer", "layers")),
    ("model.language_model.options.layers=many", ("layers", "many")),
    ("model.language_model.preset=tinny", ("tinny", "tiny")),
    ("modle.image_size=3", ("modle", "model")),
    ("model.image_size=33", ("image_size", "32")),
    ("stages.one.step=3", ("step", "steps")),
    ("stages.two.steps=3", ("one",)),
    ("stages.one.steps=-1", ("steps", "-1")),
    ("stages.one.train=[adapter.image]", ("adapter.image", "adapters.image")),
    ("stages.one.learning_rates={encodrs.image: 1}", ("encodrs.image", "encoders.image")),
    ("stages.one.data.generation=[nix]", ("nix", "generation")),
    ("text.tokenizer=none.json", ("none.json", "bytes")),
    ("sources.generation.type=openmoji", ("openmoji", "openmoji_scenes")),
    ("sources.generation.options.counts=[9]", ("counts", "9")),
    ("sources.generation={type: text_jsonl, options: {path: none.jsonl}}", ("text", "generation")),
    ("model.generation_tokenizer.options={weights: none.safetensors}", ("none.safetensors",)),
    ("model.language_model.options={weights: nowhere}", ("nowhere",)),
    ("model.encoders.image={type: tokenizer_as_encoder, options: {ref: nothing}}", ("nothing", "generation_tokenizer")),
    ("model.encoders.image={type: tokenizer_as_encoder, options: {ref: encoders.image}}", ("circle",)),
    ("model.adapters.image={type: resampler, options: {heads: 5}}", ("heads", "5")),
    ("seed", ("a.b=c",)),
    ("seed=[", ("not YAML",)),
]


@pytest.mark.parametrize(("change", "told"), SETS, ids=[text for text, _ in SETS])
def test_train_tells_a_mistake_and_writes_nothing(place: Place, change: str, told: tuple[str, ...]) -> None:
    place.fails("train", "r.yaml", "--set", change, "--out", "new", "--no-progress", told=told)


@pytest.mark.parametrize("command", [("recipe", "check"), ("recipe", "show"), ("train",)])
def test_all_mistakes_come_at_once(place: Place, command: tuple[str, ...]) -> None:
    sets = [word for text, _ in (SETS[0], SETS[4], SETS[10], SETS[12]) for word in ("--set", text)]
    text = place.fails(*command, "r.yaml", *sets, told=("4 mistakes", "siglop", "tinny", "adapter.image", "nix"))
    assert text.startswith(f"janus {command[0]}: error: ")


@pytest.mark.parametrize("command", [("recipe", "check"), ("recipe", "show"), ("train",), ("pretrain", "tokenizer")])
def test_a_recipe_that_is_not_there(place: Place, command: tuple[str, ...]) -> None:
    place.fails(*command, "nowhere.yaml", told=("nowhere.yaml", "shipped recipes"))
    place.fails(*command, "full", told=("full",))
    place.fails(*command, "good.png", told=("good.png", "YAML"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("train",), ("RECIPE",)),
        (("train", "r.yaml", "--outt", "x"), ("--outt",)),
        (("train", "r.yaml", "--resume"), ("--resume", "--out DIR")),
        (("train", "r.yaml", "--out", "full", "--no-progress"), ("full", "--out")),
        (("train", "r.yaml", "--out", "both", "--no-progress"), ("already holds a run", "--resume")),
        (("train", "r.yaml", "--out", "both", "--resume", "--set", "seed=9"), ("other settings", "recipe.yaml")),
        (("train", "r.yaml", "--out", "good.png", "--no-progress"), ("good.png", "--out")),
        (("train", "r.yaml", "--out", "good.png/run", "--no-progress"), ("good.png",)),
        (("recipe",), ("ACTION",)),
        (("recipe", "shew", "r.yaml"), ("shew", "show")),
        (("trane", "r.yaml"), ("trane", "train")),
        (("--nope",), ("--nope", "--help")),
        ((), ("--help",)),
        (("pretrain", "adapter", "x"), ("adapter", "tokenizer")),
        (("pretrain", "tokenizer", "r.yaml"), ("kind",)),
        (("bench",), ("ACTION",)),
        (("bench", "run", "openmoji", "--model", "both"), ("openmoji", "openmoji_scenes")),
        (("bench", "run", "openmoji_scenes", "--set", "scene=2", "--model", "both"), ("scene", "scenes")),
        (("bench", "run", "openmoji_scenes", "--set", "scenes=0", "--model", "both"), ("scenes", "0")),
        (("bench", "run", "openmoji_scenes", "--limit", "0"), ("--limit", "0")),
        (("bench", "run", "openmoji_scenes", "--out", "full", "--model", "both"), ("full", "--out")),
        (("bench", "run", "openmoji_scenes", "--model", "nowhere"), ("nowhere", "janus train")),
        (("demo", "--scenes", "0"), ("--scenes", "0")),
        (("demo", "--scenes", "many"), ("--scenes", "many")),
        (("demo", "--resume"), ("--resume", "--out DIR")),
        (("demo", "extra"), ("extra",)),
        (("plugins", "info", "siglop"), ("siglop", "siglip")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_wrong_words_on_the_command_line(place: Place, arguments: tuple[str, ...], told: tuple[str, ...]) -> None:
    place.fails(*arguments, told=told)


def test_empty_and_hopeless_data(place: Place) -> None:
    (place.folder / "empty.jsonl").touch()
    values = copy.deepcopy(place.recipe)
    values["sources"]["understanding"] = {"type": "llava", "options": {"path": "empty.jsonl"}}
    place.fails("train", place.write(values), "--out", "new", told=("sources.understanding", "no samples", "path"))
    values["sources"]["understanding"]["options"]["path"] = "none.json"
    place.fails("train", place.write(values), "--out", "new", told=("sources.understanding", "none.json", "does not"))
    (place.folder / "broken.json").write_text('[{"a": 1},\n{"b"\n]', encoding="utf-8")
    values["sources"]["understanding"]["options"]["path"] = "broken.json"
    place.fails("train", place.write(values), "--out", "new", told=("broken.json:2",))


def test_records_that_are_all_bad_end_the_run_with_their_lines(place: Place) -> None:
    records = [{"image": name, "caption": "x"} for name in ("text.png", "cut.jpg", "huge.png", "none.png")]
    (place.folder / "bad.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    values = copy.deepcopy(place.recipe)
    options = {"path": "bad.jsonl", "task": "generation"}
    values["sources"]["generation"] = {"type": "image_captions", "options": options}
    recipe = place.write(values, "bad.yaml")
    assert main(["train", recipe, "--out", str(place.folder / "bad_run"), "--no-progress"]) == 2
    text = place.capsys.readouterr().err
    assert "bad.jsonl:" in text
    assert "run.bad_records" in text
    assert "Traceback" not in text
    assert not (place.folder / "bad_run" / "checkpoint").exists()


# -- pretrain ---------------------------------------------------------------------------------------------------------


def pretraining(**changes: Any) -> dict[str, Any]:
    source = {"type": "openmoji_scenes", "options": {"task": "generation", "length": 8}}
    return {
        "name": "p",
        "kind": "generation_tokenizer",
        "part": {"type": "patch_vq", "preset": "tiny"},
        "image_size": 32,
        "source": source,
        "steps": 1,
        "batch_size": 2,
        "learning_rate": 1e-3,
        "run": {"accelerator": "cpu", "threads": 1},
    } | changes


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"part": "patch_vk"}, ("patch_vk", "patch_vq")),
        ({"part": {"type": "patch_vq", "preset": "tiny", "options": {"code": 3}}}, ("code", "codes")),
        ({"kind": "understanding_encoder"}, ("encoder", "janus pretrain encoder")),
        ({"kind": "tokenizer"}, ("kind", "generation_tokenizer")),
        ({"image_size": 33}, ("33", "32")),
        ({"source": {"type": "openmoji_scenes", "options": {"task": "text"}}}, ("no picture",)),
        ({"source": {"type": "text_jsonl", "options": {"path": "none.jsonl"}}}, ("source", "none.jsonl")),
        ({"source": {"type": "text_jsonl", "options": {"path": "empty.jsonl"}}}, ("source", "no samples")),
        ({"validation": {"type": "text_jsonl", "options": {"path": "empty.jsonl"}}}, ("validation", "no samples")),
        ({"steps": 0}, ("steps", "0")),
        ({"rate": 1}, ("rate", "unknown")),
    ],
    ids=str,
)
def test_pretrain_tells_a_mistake_and_writes_nothing(
    place: Place, changes: dict[str, Any], told: tuple[str, ...]
) -> None:
    (place.folder / "empty.jsonl").touch()
    recipe = place.write(pretraining(**changes))
    place.fails("pretrain", "tokenizer", recipe, "--out", "weights", "--no-progress", told=told)
    recipe = place.write(pretraining())
    place.fails("pretrain", "tokenizer", recipe, "--out", "full", "--no-progress", told=("full", "--out"))


# -- answer and draw --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "told"),
    [
        ("none.png", ("none.png", "does not exist")),
        ("text.png", ("text.png", "is not an image")),
        ("empty.png", ("empty.png", "is not an image")),
        ("cut.jpg", ("cut.jpg", "damaged")),
        ("huge.png", ("huge.png", "too large", "scale it down")),
        ("full", ("full", "cannot be read")),
        ("r.yaml", ("r.yaml", "is not an image")),
    ],
)
def test_bad_images(place: Place, image: str, told: tuple[str, ...]) -> None:
    place.fails("answer", image, "what?", "--model", "both", told=(*told, "PNG, JPEG"))


@pytest.mark.parametrize("image", ["rgba.png", "deep.png", "moving.gif", "cmyk.jpg", "thin.png", "good.jpg"])
def test_unusual_images_are_answered(place: Place, image: str) -> None:
    assert main(["answer", image, "what?", "--model", "both", "--max-new-tokens", "3"]) == 0
    assert "Traceback" not in place.capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("answer",), ("QUESTION",)),
        (("answer", "what?", "--model", "nowhere"), ("nowhere", "does not exist", "janus train")),
        (("answer", "what?", "--model", "full"), ("full", "no checkpoint", "janus train")),
        (("answer", "what?", "--model", "good.png"), ("good.png",)),
        (("answer", "good.png", "what?", "--model", "draws"), ("route",)),
        (("answer", "what?", "--model", "both", "--max-new-tokens", "0"), ("--max-new-tokens", "0")),
        (("answer", "what?", "--model", "both", "--temperature", "-1"), ("--temperature", "-1")),
        (("answer", "what?", "--model", "both", "--temperature", "nan"), ("--temperature", "nan")),
        (("answer", "what?", "--model", "both", "--temperature", "warm"), ("--temperature", "warm")),
        (("answer", "what?", "--model", "both", "--top-p", "2"), ("--top-p", "2")),
        (("answer", "what?", "--model", "both", "--top-k", "-3"), ("--top-k", "-3")),
        (("answer", "what?", "--model", "both", "--device", "gpu9"), ("gpu9", "--device cpu")),
        (("answer", "what is <image_placeholder>?", "--model", "both"), ("<image_placeholder>",)),
        (("answer", "x" * 17_000, "--model", "both"), ("too long", "shorten")),
        (("draw",), ("PROMPT",)),
        (("draw", "a cat", "--model", "only"), ("cannot draw", "recipe")),
        (("draw", "a cat", "--model", "both", "--out", "cat.jpg"), ("cat.jpg", "cat.png")),
        (("draw", "a cat", "--model", "both", "-n", "0"), ("--images", "0")),
        (("draw", "a cat", "--model", "both", "--seed", "x"), ("--seed", "x")),
        (("draw", "a cat", "--model", "both", "--guidance", "nan"), ("--guidance", "nan")),
        (("draw", "a <begin_of_image>", "--model", "both"), ("<begin_of_image>",)),
        (("draw", "a cat", "--model", "both", "--out", "good.png/cat.png", "--no-progress"), ("good.png",)),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else None,
)
def test_wrong_words_to_answer_and_draw(place: Place, arguments: tuple[str, ...], told: tuple[str, ...]) -> None:
    place.fails(*arguments, told=told)


def test_a_damaged_checkpoint(place: Place, tmp_path: Path) -> None:
    import shutil

    for name in ("model.safetensors", "janus.json", "recipe.yaml", "text_tokenizer.json"):
        broken = tmp_path / name.partition(".")[0]
        shutil.copytree(place.folder / "both", broken)
        path = broken / "checkpoint" / name
        path.write_bytes(path.read_bytes()[:25])
        place.fails("answer", "what?", "--model", str(broken), told=(name,))
        place.fails("draw", "x", "--model", str(broken), told=(name,))


def test_what_is_right_works(place: Place, tmp_path: Path) -> None:
    """The same commands without a mistake, so that no test above passes for another reason."""
    out = tmp_path / "a" / "cat.png"
    codes = tmp_path / "codes.npy"
    draw = ["draw", "a cat", "--model", "both", "-n", "2", "--out", str(out), "--codes", str(codes), "--no-progress"]
    assert main(draw) == 0
    assert sorted(p.name for p in out.parent.iterdir()) == ["cat-0.png", "cat-1.png"]
    assert np.load(codes).shape == (2, 4, 1)
    first = np.load(codes)
    assert main([*draw, "--batch-size", "1"]) == 0
    assert np.array_equal(np.load(codes), first)
    assert main(["answer", "what?", "--model", "draws", "--max-new-tokens", "2"]) == 0
    assert main(["recipe", "check", "r.yaml"]) == 0
    assert "no mistakes" in place.capsys.readouterr().out
    recipe = place.write(pretraining())
    assert main(["pretrain", "tokenizer", recipe, "--out", str(tmp_path / "w"), "--no-progress"]) == 0
    assert (tmp_path / "w" / "weights.safetensors").is_file()


def test_draw_takes_the_guidance_of_the_recipe(place: Place, tmp_path: Path) -> None:
    values = copy.deepcopy(place.recipe)
    values["samples"] = {"guidance": 1.0}
    assert main(["train", place.write(values), "--out", str(tmp_path / "run"), "--no-progress"]) == 0
    made = []
    for index, extra in enumerate(([], ["--guidance", "1"], ["--guidance", "9"])):
        codes = tmp_path / f"{index}.npy"
        command = ["draw", "a cat", "--model", str(tmp_path / "run"), "--out", str(tmp_path / "x.png"), "-n", "8"]
        assert main([*command, "--codes", str(codes), "--no-progress", *extra]) == 0
        made.append(np.load(codes))
    assert np.array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])
