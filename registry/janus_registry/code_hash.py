"""What code a component is made of, as one hash: the files of its packages, read and never imported."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from janus_registry.location import code_root, owns
from janus_registry.records import Component
from janus_registry.spec import REFERENCE

IMPORT = re.compile(rb"^[ \t]*(?:from|import)[ \t]+([A-Za-z_]\w*)", re.MULTILINE)


def code_hash(component: Component, outside: Collection[str] = ()) -> str:
    """SHA-256 over the code that defines a component; empty if it cannot be found or read.

    These are the packages of the plugin's module and of everything that the spec names, and the packages of the same
    distribution that those import. A wheel and an editable install of the same files have the same hash. What is
    found is kept for the life of the process: it is the code that the process runs.

    Args:
        component: whose code.
        outside: top-level names that are left out though the same distribution has them (the program itself).
    """
    references = [getattr(component.spec, name, None) for name in _fields(component.spec)]
    named = [text for text in references if isinstance(text, str) and REFERENCE.fullmatch(text)]
    modules = frozenset(text.partition(":")[0] for text in (component.module, *named) if text)
    return _hash(modules, component.distribution, frozenset(outside))


def _fields(spec: object) -> Iterable[str]:
    return getattr(spec, "__dataclass_fields__", ())


@cache
def _hash(modules: frozenset[str], owner: str, outside: frozenset[str]) -> str:
    try:
        found: Distribution | None = distribution(owner)
    except (PackageNotFoundError, ValueError):
        found = None
    roots: dict[Path, str] = {}
    waiting = [root for name in sorted(modules) if (root := code_root(name)) is not None]
    try:
        while waiting:
            root = waiting.pop()
            if root in roots:
                continue
            roots[root] = _tree_hash(root)
            if found is not None:
                waiting += _siblings(root, found, outside)
    except OSError:
        return ""
    total = hashlib.sha256()
    for name, value in sorted((root.name, value) for root, value in roots.items()):
        total.update(f"{name}\0{value}\0".encode())
    return total.hexdigest() if roots else ""


def _siblings(root: Path, owner: Distribution, outside: frozenset[str]) -> list[Path]:
    """The other packages of the distribution that the code at ``root`` imports."""
    names = {
        name.decode() for path in _files(root) if path.suffix == ".py" for name in IMPORT.findall(path.read_bytes())
    }
    found = [code_root(name) for name in sorted(names - outside - {root.stem})]
    return [other for other in found if other is not None and owns(owner, other)]


@cache
def _tree_hash(root: Path) -> str:
    """SHA-256 over the names and contents of a package's files, or of one module."""
    total = hashlib.sha256()
    for path in _files(root):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{path.relative_to(root.parent).as_posix()}\0{content}\0".encode())
    return total.hexdigest()


def _files(root: Path) -> Iterator[Path]:
    """The files of a package in a fixed order, without what Python, editors and version control leave behind."""
    if root.is_file():
        yield root
        return
    for path in sorted(root.iterdir()):
        if path.name.startswith(".") or path.name == "__pycache__" or path.suffix in (".pyc", ".pyo"):
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.is_file():
            yield path
