"""The one format of ``patch_vq``: its own names. Imports no torch."""

from __future__ import annotations

from janus_core.hookspecs import Layout


def layouts() -> dict[str, Layout]:
    """``patch_vq``: the names of the module."""
    return {"patch_vq": Layout()}
