"""A component's own modules, run again with all their libraries there: what is then done is their own deed."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Collection, Iterable, Iterator
from importlib.machinery import SourceFileLoader
from types import ModuleType

PROGRAM = ("janus_core", "janus_registry", "janus_bench")
"""Never run again: everything stands on them."""


def import_again(modules: Iterable[str], own: Collection[str]) -> None:
    """Import modules as if the packages ``own`` had not been imported, and leave the old modules in place."""
    with _forgotten(own):
        for module in modules:
            importlib.import_module(module)


@contextlib.contextmanager
def _forgotten(own: Collection[str]) -> Iterator[None]:
    old = {name: module for name, module in sys.modules.items() if _python(name, module, own)}
    for name in old:
        del sys.modules[name]
    try:
        yield
    finally:
        for name in [name for name, module in sys.modules.items() if _python(name, module, own)]:
            del sys.modules[name]
        sys.modules.update(old)


def _python(name: str, module: ModuleType, own: Collection[str]) -> bool:
    """Extension modules cannot be loaded twice."""
    top = name.partition(".")[0]
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    return top in own and top not in PROGRAM and isinstance(loader, SourceFileLoader)
