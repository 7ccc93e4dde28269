"""Data sources named in a recipe -> built readers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

from janus_core.config.choose import choose, load
from janus_core.config.recipe import ComponentChoice
from janus_core.errors import UserError
from janus_core.interfaces import BuildContext, DataSource


def build_sources(choices: Mapping[str, ComponentChoice], names: Iterable[str], folder: Path) -> dict[str, DataSource]:
    """Build the named sources; relative paths in their options are relative to the folder."""
    return {name: build_source(choices[name], f"sources.{name}", folder) for name in sorted(set(names))}


def build_source(choice: ComponentChoice, place: str, folder: Path) -> DataSource:
    """Build one source.

    Raises:
        UserError: its options or its files are wrong, or it is empty.
    """
    chosen = choose("data_source", choice, place)
    try:
        factory = load(chosen.component, chosen.component.spec.factory)
        source = cast(DataSource, factory(chosen.options, BuildContext(folder)))
    except (ValueError, OSError) as error:
        raise UserError(f"{place} ({chosen.component.qualified}): {error}") from error
    if not len(source):
        raise UserError(f"{place} ({chosen.component.qualified}) holds no samples", "check its path and its file")
    return source
