"""The one format of each of these tokenizers: its own names. Imports no torch."""

from __future__ import annotations

from janus_core.hookspecs import Layout


def layouts(name: str) -> dict[str, Layout]:
    """``name``: the names of the module."""
    return {name: Layout()}
