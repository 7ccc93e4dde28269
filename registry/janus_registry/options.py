"""Options of components: a written choice, checked and completed. Imports pydantic: import on demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from janus_registry.deprecation import warn_of_deprecated
from janus_registry.errors import BrokenReference, RegistryError
from janus_registry.manager import PluginManager
from janus_registry.mistakes import REQUIRED, Mistake, OptionsError, dotted, mistakes_in, name_mistake
from janus_registry.records import Component
from janus_registry.requirements import import_reference

__all__ = [
    "Chosen",
    "Mistake",
    "OptionsError",
    "choose",
    "has_options",
    "import_reference",
    "options_model",
    "strict_model",
    "validated",
]

KEYS = ("type", "preset", "options")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A component with its options.

    Attributes:
        component: what was chosen.
        preset: name of the preset, or None.
        options: valid instance of the component's options model, the preset's values filled in.
    """

    component: Component
    preset: str | None
    options: BaseModel


def has_options(component: Component) -> bool:
    """Whether records of this kind name an options model (commands do not)."""
    return hasattr(component.spec, "options")


def options_model(component: Component) -> type[BaseModel]:
    """The pydantic model of the component's options.

    Raises:
        BrokenReference: it cannot be imported, or is not a pydantic model with ``extra="forbid"``.
    """
    if not has_options(component):
        raise BrokenReference(f"{component.kind} {component.qualified} takes no options")
    return strict_model(component, component.spec.options)


def validated(component: Component, reference: str, values: Mapping[str, Any], place: str) -> BaseModel:
    """``values`` checked by another pydantic model that a component's record names by ``reference``.

    Args:
        place: dotted path of the values in the user's file.

    Raises:
        OptionsError: every mistake in ``values``.
        BrokenReference: the model cannot be imported, or is not a pydantic model with ``extra="forbid"``.
    """
    model = strict_model(component, reference)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise OptionsError(mistakes_in(error, model, place, {})) from None


def strict_model(component: Component, reference: str) -> type[BaseModel]:
    """The pydantic model that a component's record names by ``reference``.

    Raises:
        BrokenReference: it cannot be imported, or is not a pydantic model with ``extra="forbid"``.
    """
    model = import_reference(reference, component)
    owner = f"options {reference!r} of {component.kind} {component.qualified} ({component.distribution})"
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise BrokenReference(f"{owner} is {model!r}, not a pydantic model")
    if model.model_config.get("extra") != "forbid":
        raise BrokenReference(
            f"{owner} accepts misspelled options", 'give it model_config = ConfigDict(extra="forbid")'
        )
    return model


def choose(manager: PluginManager, kind: str, value: object, place: str = "") -> Chosen:
    """Turn what a user wrote into a component and valid options.

    Args:
        manager: the plugins.
        kind: kind of the component.
        value: a component's name, or a mapping with ``type`` and, if wanted, ``preset`` and ``options``. Given options
            replace the preset's one by one (a nested mapping is replaced as a whole).
        place: dotted path of ``value`` in the user's file, put before every place in an error.

    Raises:
        UnknownKind: there is no such kind.
        OptionsError: every mistake in ``value``; a name that does not resolve is its ``__cause__``.
        BrokenReference: the options model cannot be imported, or the preset of the plugin is not valid.
    """
    manager.check_kind(kind)
    if isinstance(value, str):
        value = {"type": value}
    if not isinstance(value, Mapping):
        raise OptionsError([Mistake(place or kind, value, f"{value!r} is neither a name nor a mapping", KEYS)])
    mistakes = [name_mistake(dotted(place, key), key, "entry", KEYS) for key in value if key not in KEYS]
    component, cause = _component(manager, kind, value, place, mistakes)
    if component is None:
        raise OptionsError(mistakes) from cause
    if not has_options(component):
        raise BrokenReference(f"a {kind} takes no options and cannot be chosen in a file")
    preset = _preset(component, value.get("preset"), place, mistakes)
    given, whole = value.get("options", {}), value.get("preset") == preset
    if not isinstance(given, Mapping):
        mistakes.append(Mistake(dotted(place, "options"), given, f"{given!r} is not a mapping of options"))
        given, whole = {}, False
    model = options_model(component)
    defaults = dict(component.spec.presets[preset]) if preset is not None else {}
    only_preset = {key: default for key, default in defaults.items() if key not in given}
    try:
        options = model.model_validate({**defaults, **given})
    except ValidationError as error:
        found = mistakes_in(error, model, dotted(place, "options"), only_preset)
        if not whole:  # a right preset or right options would have filled in what now seems to be missing
            found = [mistake for mistake in found if mistake.problem != REQUIRED]
        mistakes += found
    if mistakes:
        raise OptionsError(mistakes)
    warn_of_deprecated(component, model, given, place)
    return Chosen(component, preset, options)


def _component(
    manager: PluginManager, kind: str, value: Mapping[Any, Any], place: str, mistakes: list[Mistake]
) -> tuple[Component | None, RegistryError | None]:
    where = dotted(place, "type")
    written = value.get("type")
    if not isinstance(written, str):
        allowed = tuple(manager.spelling(component) for component in manager.components(kind))
        problem = "this entry is required" if "type" not in value else f"{written!r} is not the name of a {kind}"
        mistakes.append(Mistake(where, written, problem, allowed or ("none",)))
        return None, None
    try:
        return manager.resolve(kind, written), None
    except RegistryError as error:
        mistakes.append(Mistake(where, written, error.what, remedy=error.remedy))
        return None, error


def _preset(component: Component, preset: object, place: str, mistakes: list[Mistake]) -> str | None:
    if preset is None:
        return None
    if isinstance(preset, str) and preset in component.spec.presets:
        return preset
    noun = f"preset of {component.kind} {component.qualified}"
    mistakes.append(name_mistake(dotted(place, "preset"), preset, noun, component.spec.presets))
    return None
