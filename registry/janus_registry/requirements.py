"""What a component requires, compared with what is installed, by metadata only; and importing what it names."""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from janus_registry.errors import BrokenReference, MissingRequirements, did_you_mean
from janus_registry.records import Component
from janus_registry.spec import SpecError, check_reference


@dataclass(frozen=True, slots=True)
class Missing:
    """A requirement (PEP 508) that is not met, and the version that is installed (None: not at all)."""

    requirement: str
    installed: str | None

    def __str__(self) -> str:
        return f"{self.requirement} ({'not installed' if self.installed is None else f'{self.installed} installed'})"


def missing_requirements(component: Component) -> list[Missing]:
    """The declared requirements that the installed distributions do not meet; nothing is imported.

    A requirement whose marker does not hold here is met; extras of a requirement are not looked into.

    Raises:
        BrokenReference: a requirement is not written after PEP 508.
    """
    return unmet(getattr(component.spec, "requires", ()), _describe(component))


def unmet(requirements: Iterable[str], owner: str) -> list[Missing]:
    """Those of the requirements (PEP 508) that the installed distributions do not meet; see `missing_requirements`.

    Args:
        owner: whose they are, for the error.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    missing = []
    for text in requirements:
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            raise BrokenReference(f"{owner} requires {text!r}, which is not PEP 508: {error}") from None
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            missing.append(Missing(text, None))
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            missing.append(Missing(text, installed))
    return missing


def install_command(missing: Sequence[Missing]) -> str:
    """The command that installs what is missing."""
    return "pip install " + " ".join(shlex.quote(item.requirement) for item in missing)


def require(component: Component) -> None:
    """Raise `MissingRequirements`, with the command that installs them, unless all declared requirements are met."""
    missing = missing_requirements(component)
    if missing:
        raise MissingRequirements(
            f"{_describe(component)} requires {', '.join(map(str, missing))}", install_command(missing)
        )


def import_reference(reference: str, component: Component | None = None) -> Any:
    """Import ``package.module:attribute``.

    Args:
        reference: what to import.
        component: whose reference it is, for the error.

    Raises:
        BrokenReference: malformed, or the import raised (whatever it raised; chained), or there is no such attribute.
    """
    whose = f"{_describe(component)}: " if component is not None else ""
    try:
        module_name, _, attribute = check_reference(reference, "the reference").partition(":")
    except SpecError as error:
        raise BrokenReference(f"{whose}{error}") from None
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # a broken library may raise anything (torchvision: RuntimeError)
        raise BrokenReference(
            f"{whose}importing {module_name} failed: {type(error).__name__}: {error}", _import_remedy(component)
        ) from error
    try:
        return getattr(module, attribute)
    except AttributeError:
        hint = did_you_mean(attribute, [name for name in vars(module) if not name.startswith("_")])
        raise BrokenReference(f"{whose}{module_name} has no attribute {attribute!r}{hint}") from None


def import_factory(component: Component) -> Any:
    """The component's factory, after its requirements were checked from metadata.

    Raises:
        MissingRequirements: a declared requirement is not installed.
        BrokenReference: the factory cannot be imported.
    """
    require(component)
    return import_reference(component.spec.factory, component)


def _describe(component: Component) -> str:
    owner = f"{component.distribution} {component.version}".strip()
    return f"{component.kind} {component.qualified} (distribution {owner})"


def _import_remedy(component: Component | None) -> str | None:
    requires = tuple(getattr(component.spec, "requires", ())) if component is not None else ()
    if component is None or not requires:
        return None
    missing = missing_requirements(component)
    if missing:
        return install_command(missing)
    return f"it declares that it requires {', '.join(requires)}, which are installed: the fault is in what it imports"
