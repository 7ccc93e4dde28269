"""Where modules and distributions lie, found without running any of their code."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname


def find_module(name: str) -> ModuleSpec | None:
    """Where ``import name`` would find the module, or None; unlike `importlib.util.find_spec` it imports no parent."""
    return next((found for found in _walk(name) if found.name == name), None)


def code_root(name: str) -> Path | None:
    """The outermost regular package (a folder) or the module (a file) that holds the module; None if there is none.

    A namespace package is passed through: its portions may be of several distributions.
    """
    for found in _walk(name):
        if found.origin is not None and found.has_location:
            origin = Path(found.origin)
            root = origin.parent if found.submodule_search_locations is not None else origin
            return root if root.exists() else None  # a module in an archive lies nowhere
    return None


def _walk(name: str) -> Iterator[ModuleSpec]:
    """The specs of the module's packages, outermost first, and its own, as far as they are found."""
    path: list[str] | None = None
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        found = _find(".".join(parts[:depth]), path)
        if found is None:
            return
        yield found
        try:
            path = list(found.submodule_search_locations or ())
        except KeyError:  # a namespace package inside one that is not imported
            return


def _find(name: str, path: list[str] | None) -> ModuleSpec | None:
    for finder in sys.meta_path:
        try:
            found = finder.find_spec(name, path)
        except Exception:  # noqa: BLE001 - another project's import hook may raise anything
            continue
        if found is not None:
            return found
    return None


def editable_root(distribution: Distribution) -> Path | None:
    """The folder that an editable install points to (PEP 610), or None."""
    try:
        about = json.loads(distribution.read_text("direct_url.json") or "{}")
        if about.get("dir_info", {}).get("editable"):
            return Path(url2pathname(urlparse(about["url"]).path))
    except (OSError, ValueError, KeyError, AttributeError):  # written by some other tool
        pass
    return None


def home(distribution: Distribution) -> Path:
    """The folder of an editable install, else the one that the distribution is installed in."""
    return editable_root(distribution) or Path(str(distribution.locate_file("")))


def owns(distribution: Distribution, root: Path) -> bool | None:
    """Whether the package or module at ``root`` is the distribution's; None if its metadata do not tell.

    An editable install owns what lies in its folder, but for the packages that are installed there.
    """
    root, folder = root.resolve(), editable_root(distribution)
    if folder is not None:
        return root.is_relative_to(folder.resolve()) and "site-packages" not in root.parts
    installed = home(distribution).resolve()
    if not root.is_relative_to(installed):
        return False
    if not distribution.files:
        return None
    inside = root.relative_to(installed).parts
    return any(file.parts[: len(inside)] == inside for file in distribution.files)
