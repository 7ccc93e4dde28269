"""Which code each part is made of: written into every run and checkpoint, compared when one is used again."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from janus_core.config.catalog import recipes_folder
from janus_core.config.check import component_choices
from janus_core.config.recipe import ComponentChoice, Recipe
from janus_core.errors import UserError
from janus_core.plugins import manager
from janus_registry.code_hash import code_hash
from janus_registry.discovery import canonical
from janus_registry.errors import OtherCode, RegistryError
from janus_registry.location import editable_root
from janus_registry.records import Component

PROGRAM = ("janus_core", "janus_registry")
"""Packages that are in no component's hash: the program that all of them share."""

Provenance = Mapping[str, Mapping[str, str]]
"""Role, such as ``encoders.image`` or ``sources.captions`` -> `provenance`."""


def provenance(component: Component) -> dict[str, str]:
    """Kind, qualified name, distribution, version, and the SHA-256 of the component's code (see `code_hash`)."""
    return {
        "kind": component.kind,
        "component": component.qualified,
        "distribution": component.distribution,
        "version": component.version,
        "code_sha256": code_hash(component, PROGRAM),
    }


def source_provenance(sources: Mapping[str, ComponentChoice], used: Iterable[str]) -> dict[str, dict[str, str]]:
    """The provenance of the data sources that are used, by role ``sources.NAME``."""
    return {f"sources.{name}": provenance(_resolve("data_source", sources[name].type)) for name in used}


def check_provenance(written: Provenance, recipe: Recipe, place: Path, *, theirs: Recipe | None = None) -> None:
    """Compare what made a checkpoint or run with the components that a recipe names now; the same is silent.

    Another version, or other code of the same version, is warned of (`OtherCode`), with the command that brings the
    old one back. What ships with the program is tested with it and not compared. Roles and hashes that were not
    written are not compared.

    Args:
        written: what was recorded.
        recipe: what is about to be built.
        place: folder of the checkpoint or run, for the message.
        theirs: the recipe that was recorded, where it may be another: a part that ``recipe`` names otherwise is meant
            to be another.

    Raises:
        UserError: a component is not installed any more, or comes from another distribution and ``recipe`` does not
            name that one (``dist:plugin/name``).
    """
    if place.resolve().is_relative_to(recipes_folder().resolve()):
        return
    before = {} if theirs is None else _choices(theirs)
    found = []
    for role, (kind, written_as) in _choices(recipe).items():
        if role not in written or before.get(role, (kind, written_as)) != (kind, written_as):
            continue
        was = written[role]
        difference = Difference(role, written_as, was, provenance(_still_there(kind, written_as, role, was, place)))
        if difference.elsewhere and ":" not in written_as:
            raise UserError(*difference.refusal(place))
        if difference.matters:
            found.append(difference)
    if found:
        roles: dict[str, list[str]] = {}
        for item in found:
            roles.setdefault(item.sentence, []).append(f"{item.role} ({item.now['component']})")
        lines = [f"{', '.join(named)}: {sentence}" for sentence, named in roles.items()]
        headline = f"{place} was made with other code than runs now, so that results may differ:"
        warnings.warn("\n  ".join([headline, *lines]), OtherCode, stacklevel=3)


@dataclass(frozen=True, slots=True)
class Difference:
    """What a role was made by, and what its name in the recipe means now."""

    role: str
    written_as: str
    was: Mapping[str, str]
    now: Mapping[str, str]

    @property
    def elsewhere(self) -> bool:
        """Another distribution provides it."""
        return canonical(self.was.get("distribution", "")) != canonical(self.now["distribution"])

    @property
    def matters(self) -> bool:
        """Something that was written is another now."""
        return self.elsewhere or any(now and self.was.get(key, now) != now for key, now in self.now.items())

    @property
    def owners(self) -> tuple[str, str]:
        """``dist version`` that was, and that is."""
        was, now = (f"{side.get('distribution')} {side.get('version')}" for side in (self.was, self.now))
        return was, now

    @property
    def sentence(self) -> str:
        """What was, what is, and how to get the old one back."""
        was, now = self.owners
        if was != now:
            return f"was {was}, is {now}; to get the old one back: {_install(self.was)}"
        if self.was.get("component") != self.now["component"]:
            return f"was {self.was.get('component')}, is {self.now['component']} of {now}"
        hashes = " -> ".join(side["code_sha256"][:12] for side in (self.was, self.now))
        return f"the code of {now} has changed (sha256 {hashes}); to get the old one back: {_restore(self.was)}"

    def refusal(self, place: Path) -> tuple[str, str]:
        """Error and remedy for a component that another distribution provides."""
        was, now = self.owners
        meant = f"{self.now['distribution']}:{self.now['component']}"
        return (
            f"{place}: {self.role} was made by {self.was.get('component')} of {was}, but {self.written_as!r} now means "
            f"{self.now['component']} of {now}",
            f"{_install(self.was)} and disable the other (janus plugins disable {self.now['distribution']}), or write "
            f"'type: {meant}' in the recipe to take the new one on purpose",
        )


def _choices(recipe: Recipe) -> dict[str, tuple[str, str]]:
    return {place.removeprefix("model."): (kind, choice.type) for place, kind, choice in component_choices(recipe)}


def _resolve(kind: str, name: str) -> Component:
    try:
        return manager().resolve(kind, name)
    except RegistryError as error:
        raise UserError(error.what, error.remedy) from error


def _still_there(kind: str, name: str, role: str, was: Mapping[str, str], place: Path) -> Component:
    try:
        return _resolve(kind, name)
    except UserError as error:
        owner = f"{was.get('component')} of {was.get('distribution')} {was.get('version')}"
        there = _installed(was) is not None  # blocked or broken: installing it again would not help
        raise UserError(
            f"{place}: {role} was made by {owner}, which is not to be had:\n{error.what}",
            f"janus plugins why {was.get('distribution')}" if there else _install(was),
        ) from error


def _installed(was: Mapping[str, str]) -> Distribution | None:
    try:
        return distribution(was["distribution"])
    except (PackageNotFoundError, KeyError, ValueError):
        return None


def _install(was: Mapping[str, str]) -> str:
    return f"pip install {was.get('distribution')}=={was.get('version')}"


def _restore(was: Mapping[str, str]) -> str:
    """How to get other code of the version that is installed."""
    found = _installed(was)
    if found is not None and (folder := editable_root(found)) is not None:
        return f"restore its files in {folder}"
    return f"pip install --force-reinstall {was['distribution']}=={was['version']}"
