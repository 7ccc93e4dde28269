"""``janus recipe``: list, show and check recipes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from janus_core.config.recipe import Recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    commands.add_parser("list", help="the shipped recipes")
    for name, text in (
        ("show", "the resolved recipe as YAML, every default written out"),
        ("check", "check a recipe; tells every mistake at once"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("recipe", metavar="RECIPE", help="a recipe file, its folder, or the name of a shipped one")
        command.add_argument(
            "--set", action="append", default=[], metavar="A.B=C", dest="sets", help="change one value; repeatable"
        )
    commands.add_parser("schema", help="the JSON schema of recipes, for editors")


def run(arguments: argparse.Namespace) -> int:
    if arguments.action == "list":
        from janus_core.config.catalog import shipped

        for name, path in shipped().items():
            print(f"{name:28s} {path}")
        return 0
    if arguments.action == "schema":
        import json

        print(json.dumps(recipe_schema(), indent=2, ensure_ascii=False))
        return 0
    from janus_core.config.check import missing_files
    from janus_core.config.load import to_yaml

    recipe, folder = load_checked(arguments.recipe, arguments.sets, files=False)
    if arguments.action == "show":
        print(to_yaml(recipe))
        return 0
    missing = missing_files(recipe, folder)
    also = f"; {len(missing)} things that it names are not there yet:" if missing else ""
    print("\n  ".join([f"{recipe.name}: no mistakes{also}", *missing]))
    return 0


def load_checked(name: str, sets: list[str], init: Path | None = None, *, files: bool = True) -> tuple[Recipe, Path]:
    """The recipe and the folder that its relative paths refer to; `UserError` with every mistake.

    Args:
        init: a checkpoint to start from in place of the recipe's.
        files: the text tokenizer must be there.
    """
    from janus_core.config.catalog import find_recipe
    from janus_core.config.check import check_recipe
    from janus_core.config.load import load
    from janus_core.config.recipe import Recipe

    path = find_recipe(name)
    recipe = load(Recipe, path, sets, init)
    check_recipe(recipe, path.parent, files=files)
    return recipe, path.parent


def recipe_schema() -> dict[str, object]:
    """The schema of recipe files, with the options of every installed component."""
    from janus_core.config.recipe import Recipe
    from janus_core.plugins import manager
    from janus_registry.schema import union_schema

    schema = Recipe.model_json_schema()
    definitions = schema["$defs"]
    kinds = (
        "language_model",
        "understanding_encoder",
        "adapter",
        "generation_tokenizer",
        "generation_head",
        "data_source",
    )
    for kind in kinds:
        union = union_schema(manager(), kind)
        definitions |= union.pop("$defs", {})
        definitions[kind] = {"anyOf": [{"type": "string"}, union]}
    model, top = definitions["ModelConfig"]["properties"], schema["properties"]
    choice = {"$ref": "#/$defs/ComponentChoice"}
    for place, kind in (
        (model["encoders"], "understanding_encoder"),
        (model["adapters"], "adapter"),
        (top["sources"], "data_source"),
    ):
        place["additionalProperties"] = {"$ref": f"#/$defs/{kind}"}
    model["language_model"] = {
        "$ref": "#/$defs/language_model",
        "description": model["language_model"].get("description", ""),
    }
    for name, kind in (
        ("generation_tokenizer", "generation_tokenizer"),
        ("generation_adapter", "adapter"),
        ("generation_head", "generation_head"),
    ):
        model[name]["anyOf"] = [
            {"$ref": f"#/$defs/{kind}"} if item == choice else item for item in model[name]["anyOf"]
        ]
    definitions.pop("ComponentChoice", None)
    # What a recipe that extends another leaves out can only be known with that one at hand.
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": definitions,
        "if": {"type": "object", "required": ["extends"]},
        "then": {
            "properties": {
                "extends": {"type": "string", "description": "recipe that this one changes: a file or a name"}
            },
        },
        "else": {key: value for key, value in schema.items() if key != "$defs"},
    }
