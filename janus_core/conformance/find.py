"""A name that an author writes -> the components to check. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from janus_core.conformance.check import KINDS
from janus_core.errors import UserError
from janus_core.plugins import manager
from janus_registry.discovery import canonical
from janus_registry.errors import did_you_mean
from janus_registry.records import Component


@dataclass(frozen=True, slots=True)
class Found:
    """A component and the module that its plugin's entry point names."""

    component: Component
    module: str

    @property
    def id(self) -> str:
        """``kind`` only where two components of a plugin share a name."""
        return self.component.qualified


def find(name: str) -> list[Found]:
    """The components that a component's, a plugin's or a distribution's name stands for.

    Raises:
        UserError: nothing of that name, a plugin that is not loaded, or no component of a kind that the kit checks.
    """
    plugins = manager()
    owned, named, seen = [], [], False
    for record in plugins.plugins:
        whole = canonical(name) in (canonical(record.plugin), canonical(record.distribution))
        whole = whole or name == f"{record.distribution}:{record.plugin}"
        seen = seen or whole
        if whole and record.status not in ("loaded", "blocked"):
            raise UserError(
                f"the plugin {record.plugin} of {record.owner} is not loaded: {record.reason}",
                "'janus plugins doctor -v' shows the traceback",
            )
        for component in record.components:
            if component.kind in KINDS and component.answers_to(name):
                named.append(Found(component, record.module))
            elif component.kind in KINDS and whole:
                owned.append(Found(component, record.module))
            seen = seen or component.answers_to(name)
    found = [*owned, *named] if any(canonical(name) == canonical(f.component.plugin) for f in owned) else named or owned
    if found:
        return found
    if seen:
        raise UserError(f"{name!r} has no component that the kit checks", f"kinds that it checks: {', '.join(KINDS)}")
    names = {component.name for component in plugins.components() if component.kind in KINDS}
    names |= {record.plugin for record in plugins.plugins} | {record.distribution for record in plugins.plugins}
    raise UserError(
        f"there is no component, plugin or distribution {name!r}{did_you_mean(name, sorted(names))}",
        "'janus plugins list' lists them all; is the distribution installed (pip install -e .)?",
    )


def preset_of(component: Component, wanted: str | None) -> str | None:
    """The preset to check: the wanted one; else ``tiny``; else the first; else none.

    Raises:
        UserError: the component has no preset of the wanted name.
    """
    presets = list(component.spec.presets)
    if wanted is not None:
        if wanted not in presets:
            raise UserError(
                f"{component.qualified} has no preset {wanted!r}{did_you_mean(wanted, presets)}",
                f"its presets: {', '.join(presets) or 'none'}",
            )
        return wanted
    return "tiny" if "tiny" in presets else presets[0] if presets else None
