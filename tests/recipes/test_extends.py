"""``extends``: what merges, what replaces, what is removed, where paths start, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from janus_core.cli import main
from janus_core.cli.recipe import load_checked, recipe_schema
from janus_core.config.extend import read_extended
from janus_core.config.load import load, to_yaml
from janus_core.config.recipe import Recipe
from janus_core.errors import UserError

PARENT: dict[str, Any] = {
    "name": "parent",
    "seed": 4,
    "model": {
        "language_model": {"type": "llama", "preset": "tiny", "options": {"layers": 3, "heads": 2}},
        "encoders": {"image": {"type": "siglip", "preset": "tiny"}},
        "adapters": {"image": "mlp"},
        "image_size": 64,
    },
    "sources": {
        "ask": {"type": "openmoji_scenes", "options": {"task": "understanding"}},
        "read": {"type": "text_jsonl", "options": {"path": "read.jsonl"}},
    },
    "stages": [
        {
            "name": name,
            "train": ["adapters.*"],
            "steps": steps,
            "batch_size": 4,
            "learning_rate": 1e-3,
            "mixture": {"understanding": 1, "text": 1},
            "data": {"understanding": ["ask"], "text": ["read"]},
        }
        for name, steps in (("one", 10), ("two", 20))
    ],
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Two folders: that of the parent and that of the child."""
    for name in ("above", "mine"):
        (tmp_path / name).mkdir()
    (tmp_path / "above" / "recipe.yaml").write_text(yaml.safe_dump(PARENT), encoding="utf-8")
    return tmp_path


def child(place: Path, values: dict[str, Any], name: str = "r.yaml") -> Path:
    path = place / "mine" / name
    path.write_text(yaml.safe_dump({"extends": "../above", **values}), encoding="utf-8")
    return path


def read(place: Path, values: dict[str, Any]) -> dict[str, Any]:
    return read_extended(child(place, values))[0]


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load(Recipe, path)
    return str(caught.value)


def test_nothing_written_is_the_parent(place: Path) -> None:
    assert read(place, {}) == PARENT


def test_mappings_merge_and_all_else_replaces(place: Path) -> None:
    found = read(place, {"name": "c", "model": {"image_size": 32, "language_model": {"options": {"layers": 1}}}})
    assert found["name"] == "c"
    assert found["seed"] == 4
    assert found["model"]["image_size"] == 32
    assert found["model"]["language_model"] == {
        "type": "llama",
        "preset": "tiny",
        "options": {"layers": 1, "heads": 2},
    }


def test_another_type_is_another_component(place: Path) -> None:
    model = read(place, {"model": {"encoders": {"image": {"type": "eva_clip"}}}})["model"]
    assert model["encoders"]["image"] == {"type": "eva_clip"}
    model = read(place, {"model": {"encoders": {"image": "eva_clip"}}})["model"]
    assert model["encoders"]["image"] == "eva_clip"
    same = read(place, {"model": {"encoders": {"image": {"type": "siglip", "options": {"pool": 2}}}}})["model"]
    assert same["encoders"]["image"] == {"type": "siglip", "preset": "tiny", "options": {"pool": 2}}
    opened = read(place, {"model": {"adapters": {"image": {"options": {"depth": 3}}}}})["model"]
    assert opened["adapters"]["image"] == {"type": "mlp", "options": {"depth": 3}}


def test_null_removes_a_key(place: Path) -> None:
    found = read(place, {"model": {"encoders": None}, "seed": None, "stages": {"one": {"mixture": {"text": None}}}})
    assert "encoders" not in found["model"]
    assert "seed" not in found
    assert found["stages"][0]["mixture"] == {"understanding": 1}


def test_stages_are_changed_and_removed_by_name_or_replaced(place: Path) -> None:
    found = read(place, {"stages": {"two": {"steps": 7, "data": {"text": {"read": 2}}}}})["stages"]
    assert [stage["steps"] for stage in found] == [10, 7]
    assert found[1]["data"] == {"understanding": ["ask"], "text": {"read": 2}}
    assert [stage["name"] for stage in read(place, {"stages": {"one": None}})["stages"]] == ["two"]
    whole = [{**PARENT["stages"][0], "name": "three"}]
    assert read(place, {"stages": whole})["stages"] == whole


def test_a_chain_and_the_name_of_a_shipped_recipe(place: Path) -> None:
    child(place, {"seed": 5, "name": "b"}, "b.yaml")
    path = child(place, {"extends": "b.yaml", "stages": {"one": {"steps": 3}}})
    found, files = read_extended(path)
    assert (found["seed"], found["stages"][0]["steps"], found["stages"][1]["steps"]) == (5, 3, 20)
    assert [file.resolve() for file in files] == [
        path,
        place / "mine" / "b.yaml",
        place / "above" / "recipe.yaml",
    ]
    shipped = load(Recipe, child(place, {"extends": "janus_1_3b", "name": "mine"}))
    assert (shipped.name, shipped.stages[1].steps) == ("mine", 180000)


def test_paths_start_at_the_recipe_that_is_run_but_for_files_beside_the_parent(place: Path) -> None:
    path = child(place, {})
    assert load(Recipe, path).sources["read"].options["path"] == "read.jsonl"
    (place / "above" / "read.jsonl").write_text('{"text": "a"}\n', encoding="utf-8")
    assert load(Recipe, path).sources["read"].options["path"] == str(place / "above" / "read.jsonl")
    (place / "mine" / "mine.jsonl").write_text('{"text": "a"}\n', encoding="utf-8")
    child(place, {"sources": {"read": {"options": {"path": "mine.jsonl"}}}})
    assert load(Recipe, path).sources["read"].options["path"] == "mine.jsonl"


def test_the_quickstart_can_be_extended_from_anywhere(place: Path) -> None:
    path = child(place, {"extends": "quickstart", "name": "mine", "stages": {"unify": {"steps": 5}}})
    recipe, folder = load_checked(str(path), [])
    assert folder == place / "mine"
    assert Path(recipe.text.tokenizer).is_file()
    assert Path(recipe.model.encoders["image"].options["weights"]).is_file()


def test_set_and_resolved_recipe(place: Path) -> None:
    path = child(place, {"stages": {"two": {"steps": 7}}})
    recipe = load(Recipe, path, ["stages.two.steps=9", "seed=8"])
    assert (recipe.stages[1].steps, recipe.seed) == (9, 8)
    whole = place / "whole.yaml"
    whole.write_text(to_yaml(recipe), encoding="utf-8")
    assert "extends" not in yaml.safe_load(whole.read_text(encoding="utf-8"))
    assert load(Recipe, whole) == recipe


def test_mistakes_name_both_files(place: Path) -> None:
    path = child(place, {"stages": {"two": {"steps": 0}}, "sed": 3})
    told = refused(path)
    for part in (str(path), "extends", "above", "2 mistakes", "stages.1.steps", "sed: unknown name", "'seed'"):
        assert part in told
    told = refused(child(place, {"stages": {"tow": {"steps": 1}}}))
    for part in (str(path), "above", "stages", "tow", "one, two"):
        assert part in told
    assert "stages.one" in refused(child(place, {"stages": {"one": 3}}))
    assert "stpes" in refused(child(place, {"stages": {"one": {"stpes": None}}})), "null for what is not there"


@pytest.mark.parametrize(
    ("name", "told"), [("nowhere.yaml", "shipped"), ("janus_13b", "janus_1_3b"), (["a"], "not one")]
)
def test_a_parent_that_is_not_there(place: Path, name: object, told: str) -> None:
    path = child(place, {"extends": name})
    text = refused(path)
    assert str(path) in text
    assert told in text


def test_circles_are_refused(place: Path) -> None:
    path = child(place, {"extends": "r.yaml"})
    assert "circle" in refused(path)
    child(place, {"extends": "r.yaml"}, "b.yaml")
    child(place, {"extends": "b.yaml"})
    told = refused(path)
    assert told.count("r.yaml") == 2
    assert "b.yaml" in told


def test_check_lists_what_is_not_there_yet(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = child(place, {"text": {"tokenizer": "tokenizer.json"}})
    assert main(["recipe", "check", str(path)]) == 0
    told = capsys.readouterr().out
    assert "no mistakes; 2 things" in told
    assert f"text.tokenizer: {place / 'mine' / 'tokenizer.json'}" in told
    assert f"sources.read.options.path: {place / 'mine' / 'read.jsonl'} does not exist" in told
    assert main(["recipe", "show", str(path)]) == 0
    assert main(["train", str(path), "--out", str(place / "run")]) == 2
    assert not (place / "run").exists()
    child(place, {"sources": {"read": {"options": {"path": "{a,b}.jsonl"}}}})
    capsys.readouterr()
    assert main(["recipe", "check", str(path)]) == 0, "a pattern may be filled later"
    assert capsys.readouterr().out.strip() == "parent: no mistakes"


def test_the_schema_allows_a_recipe_that_extends() -> None:
    schema: dict[str, Any] = json.loads(json.dumps(recipe_schema()))
    assert schema["if"]["required"] == ["extends"]
    assert {"model", "stages"} <= set(schema["else"]["properties"])
    assert schema["$defs"]["ModelConfig"]
