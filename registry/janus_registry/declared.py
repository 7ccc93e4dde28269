"""Which plugin a written name means, from metadata and sources alone: no plugin's code runs."""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence
from pathlib import Path

from janus_registry.discovery import Discovered, canonical
from janus_registry.errors import UnknownComponent, did_you_mean
from janus_registry.location import find_module
from janus_registry.policy import normalise


def declared_names(module: str, records: Collection[str]) -> list[str]:
    """Names of the components that a plugin's module declares: ``Record(name="...")`` in its source.

    Nothing is run, so it also works for a plugin that is blocked or broken; a name that is computed is not found.

    Args:
        module: the entry point's module.
        records: names of the record types, such as ``AdapterSpec``.
    """
    found = find_module(module)
    try:
        tree = ast.parse(Path(found.origin).read_bytes() if found is not None and found.origin else b"")
    except (OSError, SyntaxError, ValueError):
        return []
    return [
        keyword.value.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and _last_name(call.func) in records
        for keyword in call.keywords
        if keyword.arg == "name" and isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str)
    ]


def _last_name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def plugins_named(name: str, plugins: Sequence[Discovered], records: Collection[str]) -> tuple[str, list[Discovered]]:
    """The policy id for a written name, which policies normalise, and the plugins that it names.

    Args:
        name: ``plugin``, ``dist``, ``dist:plugin``, or a component (``name``, ``plugin/name``, ``dist:plugin/name``),
            which stands for its plugin.
        plugins: the installed ones.
        records: see `declared_names`.

    Raises:
        UnknownComponent: nothing of this name is installed, or a component's name is declared by several plugins.
    """
    if found := [plugin for plugin in plugins if normalise(name) in plugin.ids]:
        return name.strip(), found
    owner, slash, component = name.rpartition("/")
    declared = {plugin: declared_names(plugin.entry_point.module, records) for plugin in plugins}
    found = [
        plugin
        for plugin, names in declared.items()
        if component in names and (not slash or normalise(owner) in plugin.ids)
    ]
    if len(found) == 1:
        return owner or shortest_id(found[0], plugins), found
    if found:
        owners = ", ".join(shortest_id(plugin, plugins) for plugin in found)
        raise UnknownComponent(f"the component {name!r} is declared by several plugins: {owners}", "name the plugin")
    known = {identifier for plugin in plugins for identifier in plugin.ids}
    known |= {f"{plugin.plugin}/{text}" if slash else text for plugin, names in declared.items() for text in names}
    raise UnknownComponent(
        f"no installed plugin, distribution or component is named {name!r}{did_you_mean(name, sorted(known))}",
        f"installed plugins: {', '.join(sorted({shortest_id(plugin, plugins) for plugin in plugins})) or 'none'}",
    )


def shortest_id(plugin: Discovered, plugins: Sequence[Discovered]) -> str:
    """``plugin``, or ``dist:plugin`` where the short id would name others too."""
    others = [other for other in plugins if other is not plugin and canonical(plugin.plugin) in other.ids]
    return f"{plugin.distribution}:{plugin.plugin}" if others and plugin.distribution else plugin.plugin
