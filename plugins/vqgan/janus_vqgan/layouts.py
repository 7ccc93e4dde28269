"""The formats of published VQGAN files: our names are theirs. Imports no torch."""

from __future__ import annotations

from janus_core.hookspecs import Layout


def layouts() -> dict[str, Layout]:
    """``taming``: the published names, where the discriminator and LPIPS lie under ``loss``."""
    return {"taming": Layout(ignored=("loss",), prefixes=("state_dict.", "model."))}
