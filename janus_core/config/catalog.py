"""Where recipes are: a path, or the name of one that ships with the package."""

from __future__ import annotations

import difflib
from pathlib import Path

from janus_core.errors import UserError

STUDIES = "studies"
"""Folder of the shipped studies, beside the recipes."""


def recipes_folder() -> Path:
    """The folder of the shipped recipes: inside the package when installed from a wheel, else the repository's."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "recipes"
    return inside if inside.is_dir() else package.parent / "recipes"


def shipped() -> dict[str, Path]:
    """Shipped recipes by name: ``quickstart`` is ``quickstart/recipe.yaml``, ``quickstart/encoder`` lies beside it."""
    root = recipes_folder()
    found: dict[str, Path] = {}
    for path in sorted(set(root.rglob("*.yaml")) - set((root / STUDIES).rglob("*.yaml"))):
        relative = path.relative_to(root).with_suffix("")
        name = relative.parent if relative.name == "recipe" else relative
        found[name.as_posix()] = path
    return found


def studies() -> dict[str, Path]:
    """Shipped studies, which vary recipes, by name."""
    return {path.stem: path for path in sorted((recipes_folder() / STUDIES).glob("*.yaml"))}


def find_recipe(name: str, folder: Path = Path()) -> Path:
    """The file of a recipe given as a file, a folder with a ``recipe.yaml`` or a shipped name.

    Args:
        folder: a relative path starts there.

    Raises:
        UserError: there is none; the nearest shipped names are given.
    """
    path = folder / name
    if path.is_file():
        return path
    if (path / "recipe.yaml").is_file():
        return path / "recipe.yaml"
    known = shipped()
    key = name.removeprefix("recipes/").rstrip("/").removesuffix(".yaml").removesuffix("/recipe")
    if key in known:
        return known[key]
    near = difflib.get_close_matches(key, known, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise UserError(
        f"there is no recipe {name!r}: no such file, and no shipped recipe of this name",
        f"{hint}shipped recipes: {', '.join(known)}",
    )
