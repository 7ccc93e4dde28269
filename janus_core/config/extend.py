"""``extends``: a recipe that names another one and writes only what differs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from janus_core.config.catalog import find_recipe
from janus_core.config.yaml_file import read_yaml
from janus_core.errors import UserError

EXTENDS = "extends"
NAMES_FILES = ("text", "model", "sources")
"""Sections whose options may name files."""


def read_extended(path: Path) -> tuple[dict[str, Any], list[Path]]:
    """The mapping in a recipe file laid over those of the recipes that it extends, and all their files, its own first.

    Mappings are merged key by key and ``null`` removes a key; a mapping with another ``type`` is another component and
    replaces the whole; a mapping over a list of named items (the stages) changes or removes items by name; all else
    replaces. Relative paths start at the folder of ``path``, but for files that lie beside a recipe that it
    extends: those are taken from there.

    Raises:
        UserError: a file cannot be read, ``extends`` leads nowhere or in a circle, or names in it do not fit.
    """
    layers: list[tuple[Path, dict[str, Any]]] = []
    seen: list[Path] = []
    following: Path | None = path
    while following is not None:
        if (real := following.resolve()) in seen:
            circle = " -> ".join(str(file) for file, _ in [*layers, (following, {})])
            raise UserError(f"{EXTENDS} goes in a circle: {circle}", f"remove {EXTENDS} from one of them")
        seen.append(real)
        values = read_yaml(following)
        layers.append((following, values))
        following = _parent(following, values.pop(EXTENDS, None))
    files = [file for file, _ in layers]
    file, whole = layers.pop()
    while layers:
        child, changes = layers.pop()
        whole = _merged(_anchored(whole, file.parent), changes, "", f"{child} ({EXTENDS} {file})")
        file = child
    return whole, files


def _parent(path: Path, name: object) -> Path | None:
    if name is None:
        return None
    if not isinstance(name, str):
        raise UserError(f"{path}: {EXTENDS} is {name!r}, not one recipe", "give a file or the name of a shipped recipe")
    try:
        return find_recipe(name, path.parent)
    except UserError as error:
        raise UserError(f"{path}: {EXTENDS}: {error.what}", error.remedy) from error


def _merged(below: Mapping[str, Any], over: Mapping[str, Any], at: str, where: str) -> dict[str, Any]:
    found = dict(below)
    for key, value in over.items():
        place = f"{at}.{key}" if at else str(key)
        if value is None and key in found:
            del found[key]
        elif key in found and isinstance(value, dict):
            found[key] = _laid_over(found[key], value, place, where)
        else:
            found[key] = value
    return found


def _laid_over(below: Any, over: dict[str, Any], at: str, where: str) -> Any:
    if isinstance(below, str) and "type" not in over:  # a component by its bare word, as in --set
        below = {"type": below}
    if isinstance(below, list) and below and all(isinstance(item, dict) and "name" in item for item in below):
        return _items(below, over, at, where)
    other = isinstance(below, dict) and "type" in over and over["type"] != below.get("type")
    return over if other or not isinstance(below, dict) else _merged(below, over, at, where)


def _items(below: Sequence[dict[str, Any]], over: dict[str, Any], at: str, where: str) -> list[dict[str, Any]]:
    """A list of named items with some of them changed or removed (``null``)."""
    names = [str(item["name"]) for item in below]
    if unknown := [str(name) for name in over if name not in names]:
        raise UserError(
            f"{where}: {at} has no item named {', '.join(unknown)}",
            f"items: {', '.join(names)}; to add one, write the whole list",
        )
    changed: list[dict[str, Any]] = []
    for item, name in zip(below, names, strict=True):
        change = over.get(name, {})
        if change is None:
            continue
        if not isinstance(change, dict):
            raise UserError(f"{where}: {at}.{name} is {change!r}", "write what changes, or null to remove it")
        changed.append(_merged(item, change, f"{at}.{name}", where))
    return changed


def _anchored(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The mapping with every path that leads from the folder to something that exists written out."""

    def anchored(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: anchored(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [anchored(inner) for inner in value]
        is_path = isinstance(value, str) and ("/" in value or "." in value) and os.path.exists(folder / value)
        return str((folder / value).resolve()) if is_path else value

    found = {key: anchored(value) if key in NAMES_FILES else value for key, value in values.items()}
    if isinstance(init := found.get("init"), str) and os.path.exists(folder / init):
        found["init"] = str((folder / init).resolve())
    return found
