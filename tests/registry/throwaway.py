"""Throw-away distributions on disk: metadata, entry points and modules, as an installer would leave them."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import EntryPoint, distributions
from pathlib import Path

import pluggy

from janus_registry.manager import PluginManager
from janus_registry.spec import ComponentSpec

hookspec = pluggy.HookspecMarker("toy")

# What every toy plugin begins with. A second kind whose records are no ComponentSpec stands for commands.
TOY = """\
import pluggy
from types import SimpleNamespace as Gadget
from janus_registry.spec import ComponentSpec
hookimpl = pluggy.HookimplMarker("toy")
TOY_API = (1, 0)
def Widget(name, module="none", **more):
    more = {"factory": f"{module}:build", "options": f"{module}:Options", **more}
    return ComponentSpec(name=name, summary=f"widget {name}", **more)
"""


class ToyHooks:
    @hookspec
    def toy_widgets(self) -> Iterable[ComponentSpec]:
        """Widgets."""
        raise AssertionError

    @hookspec
    def toy_gadgets(self) -> Iterable[types.SimpleNamespace]:
        """Gadgets."""
        raise AssertionError


KINDS = {"widget": ("toy_widgets", ComponentSpec), "gadget": ("toy_gadgets", types.SimpleNamespace)}


class Shelf:
    """A folder that stands for site-packages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def add(
        self,
        distribution: str,
        plugins: Mapping[str, str],
        *,
        version: str = "1.0",
        group: str = "toy.plugins",
        preamble: str = TOY,
        modules: Mapping[str, str] | None = None,
    ) -> None:
        """A distribution whose ``plugins`` (entry point -> source) each get a module ``<distribution>_<plugin>``."""
        info = self.folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        lines = [f"[{group}]"]
        for plugin, source in plugins.items():
            module = f"{distribution}_{plugin}".replace("-", "_").replace(".", "_")
            lines.append(f"{plugin} = {module}")
            (self.folder / f"{module}.py").write_text(preamble + source)
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
        for name, source in (modules or {}).items():
            (self.folder / f"{name}.py").write_text(source)
        importlib.invalidate_caches()

    def entry_points(self, group: str = "toy.plugins") -> list[EntryPoint]:
        return [
            point
            for found in distributions(path=[str(self.folder)])
            for point in found.entry_points
            if point.group == group
        ]

    def manager(self, **environ: str) -> PluginManager:
        return PluginManager(
            project="toy",
            group="toy.plugins",
            hooks=ToyHooks,
            kinds=KINDS,
            api=(1, 2),
            api_attribute="TOY_API",
            environment_prefix="TOY",
            environ=environ,
            entry_points=self.entry_points(),
        )


@contextmanager
def shelf_on_path(folder: Path) -> Iterator[Shelf]:
    """A shelf that this process can import from; what was imported from it is forgotten afterwards."""
    shelf = Shelf(folder)
    sys.path.insert(0, str(folder))
    try:
        yield shelf
    finally:
        sys.path.remove(str(folder))
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", "") or "").startswith(str(folder)):
                del sys.modules[name]
        importlib.invalidate_caches()


GOOD = """
@hookimpl
def toy_widgets():
    yield Widget("good")
"""

BROKEN: dict[str, tuple[str, str, str]] = {
    # name -> (source, status, what the reason must say)
    "import-error": ("import no_such_library_xyz", "failed", "no_such_library_xyz"),
    "exits": ("import sys; sys.exit('no GPU')", "failed", "SystemExit: no GPU"),
    "exits-quietly": ("raise SystemExit", "failed", "SystemExit"),
    "syntax": ("def broken(:", "failed", "SyntaxError"),
    "argument": ("@hookimpl\ndef toy_widgets(context): yield Widget('x')", "failed", "toy_widgets"),
    "misspelled": ("@hookimpl\ndef toy_widgts(): yield Widget('x')", "failed", "did you mean 'toy_widgets'"),
    "unmarked": ("def toy_widgets(): yield Widget('x')", "failed", "not marked with @hookimpl"),
    "future": ("TOY_API = (1, 3)", "incompatible", "upgrade the program"),
    "past": ("TOY_API = (0, 9)", "incompatible", "upgrade the plugin"),
    "no-version": ("del TOY_API", "failed", "TOY_API"),
    "strange-version": ("TOY_API = '1.0'", "failed", "'1.0'"),
    "raises": (
        "@hookimpl\ndef toy_widgets():\n    yield Widget('x')\n    raise KeyError('half-way')",
        "failed",
        "half-way",
    ),
    "wrong-type": ("@hookimpl\ndef toy_widgets(): yield 'x'", "failed", "must yield ComponentSpec"),
    "no-list": ("@hookimpl\ndef toy_widgets(): return 7", "failed", "must yield ComponentSpec"),
    "bad-name": ("@hookimpl\ndef toy_widgets(): yield Widget('Bad Name')", "failed", "not a component name"),
    "twice": ("@hookimpl\ndef toy_widgets(): return [Widget('x'), Widget('x')]", "failed", "two components"),
    "second-hook": (
        "@hookimpl\ndef toy_widgets(): yield Widget('x')\n@hookimpl\ndef toy_gadgets(): raise RuntimeError('second')",
        "failed",
        "second",
    ),
}
