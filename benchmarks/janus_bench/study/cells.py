"""A combination and a seed -> the checked recipe, its settings as ``--set`` texts, and its id by content."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from janus_core.config import load
from janus_core.config.check import check_recipe, component_choices
from janus_core.config.choose import Chosen, choose
from janus_core.config.recipe import ComponentChoice, Recipe
from janus_core.errors import UserError

TELLS_NOTHING = ("name", "description", "run")
"""Fields of a recipe that change no result beyond rounding."""


def settings(overrides: Mapping[str, Any]) -> list[str]:
    """The overrides as ``a.b=value`` for ``--set``."""
    return [f"{path}={_flow(value)}" for path, value in overrides.items()]


def _flow(value: Any) -> str:
    """A value as YAML in one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**9, allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def resolve(values: Mapping[str, Any], sets: Sequence[str], folder: Path, place: str) -> Recipe:
    """The recipe with these settings, checked as ``janus train`` checks it.

    Args:
        values: the recipe's mapping as its file has it.
        folder: the recipe's; relative paths start there.
        place: what the message of a mistake begins with, such as ``axes row=E``.

    Raises:
        UserError: every mistake of this combination.
    """
    try:
        recipe = load.resolve(Recipe, copy.deepcopy(dict(values)), folder, sets, origin="recipe")
        check_recipe(recipe, folder)
    except UserError as error:
        raise UserError(f"{place}: {error.what}", error.remedy) from None
    return recipe


def content(recipe: Recipe) -> dict[str, Any]:
    """What a recipe says, however it says it: presets resolved, defaults left out, its name and ``run`` apart.

    Left-out defaults keep an id as it is when a later version adds a field.
    """
    found: dict[str, Any] = _told(recipe)
    for name in TELLS_NOTHING:
        found.pop(name, None)
    parts = {place: chosen(kind, choice, place) for place, kind, choice in component_choices(recipe)}
    sources = {place: part for place, part in parts.items() if place.startswith("sources.")}
    drawn = {f"sources.{name}" for stage in recipe.stages for named in stage.data.values() for name in named}
    found.pop("sources", None)
    found["model"] = {**found.get("model", {}), "parts": {p: part for p, part in parts.items() if p not in sources}}
    for field in ("language_model", "encoders", "adapters", *GENERATION):
        found["model"].pop(field, None)
    found["sources"] = {place: part for place, part in sources.items() if place in drawn}
    return found


GENERATION = ("generation_tokenizer", "generation_adapter", "generation_head")


def chosen(kind: str, choice: ComponentChoice, place: str) -> dict[str, Any]:
    """A component by its full name with the options that differ from its defaults."""
    return described(choose(kind, choice, place))


def described(found: Chosen) -> dict[str, Any]:
    """The same of one that is chosen already."""
    options = _told(found.options) if isinstance(found.options, BaseModel) else repr(found.options)
    return {"component": found.component.qualified, "options": options}


def identity(*parts: object) -> str:
    """Twelve hexadecimal digits of what is given, whatever the order of its keys."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _told(value: Any) -> Any:
    """Plain data of a value; of a model only the fields that differ from their defaults."""
    if isinstance(value, BaseModel):
        told = {}
        for name, field in type(value).model_fields.items():
            given = getattr(value, name)
            if field.is_required() or given != field.get_default(call_default_factory=True):
                told[name] = _told(given)
        return told
    if isinstance(value, Mapping):
        return {str(key): _told(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_told(item) for item in value]
    return value
