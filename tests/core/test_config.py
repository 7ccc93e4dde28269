"""YAML and --set -> a recipe, or every mistake at once, each with what mends it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from janus_core.config.check import check_recipe
from janus_core.config.load import apply_set, load, to_yaml, validate
from janus_core.config.recipe import PretrainRecipe, Recipe, SourceShare
from janus_core.config.yaml_file import read_yaml
from janus_core.errors import UserError


@pytest.fixture
def values(tiny: ModuleType) -> dict[str, Any]:
    found: dict[str, Any] = tiny.recipe("both")
    return found


def changed(values: dict[str, Any], *sets: str) -> dict[str, Any]:
    found = copy.deepcopy(values)
    for text in sets:
        apply_set(found, text)
    return found


def mistakes(values: dict[str, Any], folder: Path = Path(".")) -> str:
    """What is told about a recipe with mistakes."""
    with pytest.raises(UserError) as caught:
        check_recipe(validate(Recipe, values, "r.yaml"), folder)
    return str(caught.value)


# -- --set ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("description=a=b=c", "a=b=c"),  # row 18
        ("description=x==y", "x==y"),
        ("description=", None),
        ("description='3'", "3"),
        ("seed=12", 12),
        ("description=false", False),  # row 17
        ("description=[1, 2]", [1, 2]),
        ("description={a: b}", {"a": "b"}),
    ],
)
@pytest.mark.silent_failure(17, 18)
def test_set_splits_at_the_first_equals_sign_and_reads_yaml(values: dict[str, Any], text: str, value: object) -> None:
    found = changed(values, text)[text.partition("=")[0]]
    assert found == value
    assert type(found) is type(value)


def test_set_reaches_list_items_by_number_and_by_name(values: dict[str, Any]) -> None:
    assert changed(values, "stages.0.steps=7")["stages"][0]["steps"] == 7
    assert changed(values, "stages.one.steps=8")["stages"][0]["steps"] == 8
    assert changed(values, "stages.one.mixture.generation=3")["stages"][0]["mixture"]["generation"] == 3
    replaced = {"name": "new"}
    assert changed(values, "stages.one={name: new}")["stages"] == [replaced]


def test_set_swaps_a_part_and_opens_a_bare_word(values: dict[str, Any]) -> None:
    assert changed(values, "model.encoders.image.type=eva_clip")["model"]["encoders"]["image"] == {
        "type": "eva_clip",
        "preset": "tiny",
    }
    values["model"]["generation_head"] = "categorical"
    found = changed(values, "model.generation_head.options.inner_width=8")["model"]["generation_head"]
    assert found == {"type": "categorical", "options": {"inner_width": 8}}
    assert (
        changed(values, "run.workers=1", "run.threads=2")["run"] | {"workers": 1, "threads": 2}
        == changed(values, "run.workers=1", "run.threads=2")["run"]
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("seed", "a.b=c"),
        ("=3", "a.b=c"),
        ("stages.5.steps=1", "0 to 0"),
        ("stages.two.steps=1", "one"),
        ("stages.-1.steps=1", "one"),
        ("stages.².steps=1", "one"),
        ("stages.9=1", "0 to 0"),
        ("seed.a=1", "seed"),
        ("seed.a.b=1", "seed"),
        ("description=[1", "not YAML"),
        ("description='", "not YAML"),
    ],
)
def test_set_refuses_what_leads_nowhere(values: dict[str, Any], text: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        apply_set(values, text)
    assert text in str(caught.value)
    assert told in str(caught.value)


def test_a_misspelled_set_is_told_with_the_near_name(values: dict[str, Any]) -> None:
    text = mistakes(changed(values, "stages.one.step=3", "modle.x=1", "run.worker=2"))
    assert "3 mistakes" in text
    for place, near in (("stages.0.step", "steps"), ("modle", "model"), ("run.worker", "workers")):
        assert f"{place}: unknown name; did you mean {near!r}?" in text


# -- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", "- a", "just text", "a: [", "a: b: c", "\tx: 1"])
def test_files_that_hold_no_recipe(tmp_path: Path, content: str) -> None:
    (tmp_path / "r.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"r\.yaml") as caught:
        read_yaml(tmp_path / "r.yaml")
    assert caught.value.remedy


def test_a_binary_file_and_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_bytes(b"\xff\xfe\x00\x01")
    for name in ("r.yaml", "none.yaml"):
        with pytest.raises(UserError, match=name):
            read_yaml(tmp_path / name)


def test_what_is_shown_can_be_read_back(values: dict[str, Any], tmp_path: Path) -> None:
    values["description"] = "ümläut: 'quoted' # no comment\nline"
    recipe = validate(Recipe, values, "r")
    (tmp_path / "r.yaml").write_text(to_yaml(recipe), encoding="utf-8")
    again = load(Recipe, tmp_path / "r.yaml")
    assert again == recipe
    assert to_yaml(again) == to_yaml(recipe)
    assert yaml.safe_load(to_yaml(recipe))["stages"][0]["clip"] == 1.0  # defaults are written out


def test_sources_of_a_task_can_be_a_word_a_list_or_weights(values: dict[str, Any]) -> None:
    for given in ("understanding", ["understanding"], {"understanding": 1.0}):
        values["stages"][0]["data"]["understanding"] = given
        recipe = validate(Recipe, values, "r")
        assert recipe.stages[0].data["understanding"] == {"understanding": SourceShare(weight=1)}


@pytest.mark.silent_failure(4)
def test_unusual_values_reach_the_built_model(values: dict[str, Any], tiny: ModuleType) -> None:
    """Row 4: options are passed on, not dropped."""
    values["model"]["language_model"]["options"] = {"layers": 3, "kv_heads": 1, "intermediate_size": 40}
    values["model"]["generation_head"]["options"] = {"inner_width": 17}
    values["text"] = {"special": {"bos": "<my_bos>"}}
    built = tiny.build(values)
    assert len(built.model.language_model.blocks()) == 3
    shapes = {key: tuple(tensor.shape) for key, tensor in built.model.state_dict().items()}
    assert (17, 32) in shapes.values()
    assert any(40 in shape for shape in shapes.values())
    assert built.text.encode("<my_bos>") == [built.text.bos]


# -- mistakes ---------------------------------------------------------------------------------------------------------

Change = Callable[[dict[str, Any]], object]


def at(*path: object) -> Callable[[dict[str, Any]], Any]:
    def find(values: dict[str, Any]) -> Any:
        for step in path:
            values = values[step]  # type: ignore[index]
        return values

    return find


def put(value: object, *path: object) -> Change:
    return lambda values: at(*path[:-1])(values).__setitem__(path[-1], value)


def cut(*path: object) -> Change:
    return lambda values: at(*path[:-1])(values).pop(path[-1])


STAGE = ("stages", 0)
WRONG: dict[str, tuple[Change, list[str]]] = {
    "unknown encoder": (put("siglop", "model", "encoders", "image", "type"), ["model.encoders.image", "siglip"]),
    "unknown adapter": (put("mpl", "model", "adapters", "image", "type"), ["model.adapters.image", "mlp"]),
    "unknown tokenizer": (put("vqgen", "model", "generation_tokenizer", "type"), ["generation_tokenizer", "vqgan"]),
    "unknown head": (put("categoric", "model", "generation_head", "type"), ["generation_head", "categorical"]),
    "unknown language model": (put("lama", "model", "language_model", "type"), ["language_model", "llama"]),
    "unknown generation adapter": (put("liner", "model", "generation_adapter", "type"), ["linear"]),
    "unknown source type": (put("openmoji", "sources", "generation", "type"), ["openmoji_scenes"]),
    "unknown preset": (put("tinny", "model", "language_model", "preset"), ["language_model.preset", "tiny"]),
    "unknown option": (put({"layer": 2}, "model", "language_model", "options"), ["options.layer", "layers"]),
    "wrong type of option": (put({"layers": "many"}, "model", "language_model", "options"), ["layers", "many"]),
    "option out of range": (put({"layers": 0}, "model", "language_model", "options"), ["layers", "0"]),
    "option missing": (cut("sources", "generation", "options"), ["sources.generation", "task"]),
    "no adapter for a route": (cut("model", "adapters", "image"), ["model.adapters.image", "missing"]),
    "no encoder for a route": (put("mlp", "model", "adapters", "audio"), ["model.encoders.audio", "missing"]),
    "head without adapter": (cut("model", "generation_adapter"), ["generation_adapter", "generation_head"]),
    "head without tokenizer": (cut("model", "generation_tokenizer"), ["model.generation_tokenizer: missing"]),
    "two stages of a name": (lambda v: v["stages"].append(copy.deepcopy(v["stages"][0])), ["two stages", "'one'"]),
    "source that is not there": (put(["nix"], *STAGE, "data", "generation"), ["'nix'", "understanding", "generation"]),
    "source of another task": (
        put(["understanding"], *STAGE, "data", "generation"),
        ["stages.one.data.generation.understanding", "understanding samples, not generation"],
    ),
    "no head for generation": (
        lambda v: [v["model"].pop(k) for k in ("generation_head", "generation_adapter")],
        ["mixture.generation", "set it to 0"],
    ),
    "no encoder for understanding": (
        lambda v: [v["model"].pop(k) for k in ("encoders", "adapters")],
        ["mixture.understanding", "set it to 0"],
    ),
    "text tokenizer missing": (put({"tokenizer": "no.json"}, "text"), ["no.json", "bytes"]),
    "no stages": (put([], "stages"), ["stages"]),
    "no name": (cut("name"), ["name: missing"]),
    "name that is no folder": (put("a/b", "name"), ["name", "a/b"]),
    "stage name that leaves the run": (put("../x", *STAGE, "name"), ["name", "../x"]),
    "steps 0": (put(0, *STAGE, "steps"), ["stages.0.steps", "0"]),
    "steps as a word": (put("ten", *STAGE, "steps"), ["stages.0.steps", "ten"]),
    "rate 0": (put(0, *STAGE, "learning_rate"), ["learning_rate", "0"]),
    "unknown schedule": (put("cosinus", *STAGE, "schedule"), ["schedule", "cosine"]),
    "unknown normalisation": (put("mean", *STAGE, "loss_normalisation"), ["loss_normalisation", "tokens"]),
    "unknown task": (put({"drawing": 1}, *STAGE, "mixture"), ["mixture", "generation"]),
    "ratios all 0": (put({"generation": 0}, *STAGE, "mixture"), ["mixture", "above 0"]),
    "ratio below 0": (put({"generation": -1}, *STAGE, "mixture"), ["mixture", "0 or more"]),
    "ratio without data": (put({"text": 1}, *STAGE, "mixture"), ["text", "no source"]),
    "weights all 0": (put({"generation": 0}, *STAGE, "data", "generation"), ["generation", "above 0"]),
    "weight below 0": (put({"generation": -1}, *STAGE, "data", "generation"), ["generation.weight", "or equal to 0"]),
    "condition_drop above 1": (put(1.5, *STAGE, "condition_drop"), ["condition_drop", "1.5"]),
    "nothing trains": (put([], *STAGE, "train"), ["stages.0.train"]),
    "pattern without match": (put(["adapter.*"], *STAGE, "train"), ["adapter.*", "adapters.image"]),
    "tokenizer trains": (put(["generation_tokenizer"], *STAGE, "train"), ["generation tokenizer", "janus pretrain"]),
    "rate of no part": (
        put({"encoder": 0.1}, *STAGE, "learning_rates"),
        ["learning_rates", "encoder", "encoders.image"],
    ),
    "image size 0": (put(0, "model", "image_size"), ["image_size", "0"]),
    "seed below 0": (put(-1, "seed"), ["seed", "-1"]),
    "precision": (put("fp16", "run", "precision"), ["run.precision", "bf16-mixed"]),
    "recipe is no mapping": (put([1], "model"), ["model"]),
    "a part as a number": (put(3, "model", "language_model"), ["model.language_model"]),
    "a key that is a number": (put(1, 5), ["5"]),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.silent_failure(5, 8)
def test_each_mistake_is_told_with_its_place_and_remedy(values: dict[str, Any], case: str) -> None:
    """Rows 5 and 8: an unknown name or a pattern that matches nothing is an error with the nearest right one."""
    change, told = WRONG[case]
    change(values)
    text = mistakes(values)
    for part in told:
        assert part in text, text
    assert len(text.splitlines()) < 40
    assert all(len(line) < 1500 for line in text.splitlines())


def test_several_mistakes_are_told_at_once(values: dict[str, Any], tmp_path: Path) -> None:
    for name in ("unknown encoder", "unknown preset", "two stages of a name", "text tokenizer missing"):
        WRONG[name][0](values)
    values["stages"][0]["data"]["generation"] = ["nix"]
    text = mistakes(values, tmp_path)
    for told in ("siglop", "tinny", "two stages", str(tmp_path / "no.json"), "'nix'"):
        assert told in text
    values |= {"seed": -1, "sed": 2}
    text = mistakes(values)
    assert "2 mistakes" in text


def test_the_unchanged_recipe_has_no_mistake(values: dict[str, Any]) -> None:
    check_recipe(validate(Recipe, values, "r"), Path("."))
    assert len(WRONG) >= 40


def test_a_pretrain_recipe_tells_its_mistakes_too() -> None:
    given = {"name": "x", "kind": "tokenizer", "part": {"type": "vqgan"}, "source": "s", "steps": 1, "rate": 2}
    with pytest.raises(UserError) as caught:
        validate(PretrainRecipe, given, "p.yaml")
    for told in ("kind", "generation_tokenizer", "batch_size: missing", "rate: unknown name", "learning_rate"):
        assert told in str(caught.value)
