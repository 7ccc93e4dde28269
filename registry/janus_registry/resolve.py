"""From a written name to one component, or to an error that says what to write instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from janus_registry.discovery import canonical
from janus_registry.errors import AmbiguousComponent, UnknownComponent, did_you_mean
from janus_registry.records import Component

if TYPE_CHECKING:
    from janus_registry.manager import PluginManager


def resolve(manager: PluginManager, kind: str, name: str) -> Component:
    """See `PluginManager.resolve`."""
    manager.check_kind(kind)
    matches = matching(manager.components(kind), name)
    if not matches:
        raise unknown(manager, kind, name)
    if not is_settled(manager, matches, name):
        raise _ambiguous(manager, kind, name, matches)
    return matches[0]


def matching(components: Sequence[Component], name: str) -> list[Component]:
    """The components that answer to ``name``, written in any of the three ways."""
    return [component for component in components if component.answers_to(name)]


def is_settled(manager: PluginManager, matches: Sequence[Component], name: str) -> bool:
    """Whether ``name`` names one component and will go on doing so.

    A component of a plugin name that two distributions own is settled only by the distribution's name.
    """
    owners = {canonical(match.plugin) for match in matches}
    return len(matches) == 1 and (":" in name or not owners & manager.contested)


def spelling(manager: PluginManager, component: Component) -> str:
    """See `PluginManager.spelling`."""
    siblings = manager.components(component.kind)
    for text in (component.name, component.qualified):
        if is_settled(manager, matching(siblings, text), text):
            return text
    return component.full


def _ambiguous(manager: PluginManager, kind: str, name: str, matches: Sequence[Component]) -> AmbiguousComponent:
    contested = manager.contested & {canonical(match.plugin) for match in matches}
    spellings = [match.full if canonical(match.plugin) in contested else match.qualified for match in matches]
    claims = [f"{text} of {match.distribution} {match.version}" for text, match in zip(spellings, matches, strict=True)]
    lines = [f"the {kind} {name!r} is ambiguous: {', '.join(claims)}"]
    for plugin in sorted(contested):
        owners = [
            record.owner
            for record in manager.plugins
            if record.status == "loaded" and canonical(record.plugin) == plugin
        ]
        lines.append(f"the plugin name {plugin!r} is owned by several distributions: {', '.join(owners)}")
    return AmbiguousComponent("\n".join(lines), f"write {' or '.join(spellings)}")


def unknown(manager: PluginManager, kind: str, name: str, also: Sequence[str] = ()) -> UnknownComponent:
    """The error for a name that no loaded plugin declares; ``also``: further names that would have been right."""
    components = manager.components(kind)
    names = sorted({*also, *(manager.spelling(component) for component in components)})
    candidates = {*names, *(component.name for component in components), *(c.qualified for c in components)}
    lines = [f"there is no {kind} {name!r}{did_you_mean(name, sorted(candidates))}"]
    lines.append(f"available: {', '.join(names) or 'none'}")
    missing = [record for record in manager.plugins if record.status != "loaded"]
    remedy = None
    if missing:
        lines.append("plugins that are not loaded and may hold it:")
        lines += [f"  {record.plugin} ({record.owner}) {record.status}: {record.reason}" for record in missing]
        remedy = f"see '{manager.project} plugins doctor'"
    elif not names:
        remedy = f"install a plugin that declares one; '{manager.project} plugins list' shows what is installed"
    return UnknownComponent("\n".join(lines), remedy)
