"""Versions of what a result depends on, from the installed distributions; no version control is asked."""

from __future__ import annotations

import os
import platform
from importlib import metadata

PACKAGES = (
    "janus-umm",
    "torch",
    "torchvision",
    "lightning",
    "open-clip-torch",
    "timm",
    "tokenizers",
    "numpy",
    "pillow",
)


def versions() -> dict[str, str]:
    """Python, machine, cores and libraries."""
    found = {"python": platform.python_version(), "machine": platform.machine(), "cores": str(os.cpu_count())}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found
