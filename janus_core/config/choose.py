"""A component named in a recipe -> the component and its validated options; the way from names to code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from janus_core.config.recipe import ComponentChoice
from janus_core.errors import UserError
from janus_core.plugins import manager
from janus_registry.errors import RegistryError
from janus_registry.options import Chosen as Chosen
from janus_registry.options import choose as choose_component
from janus_registry.options import validated
from janus_registry.records import Component
from janus_registry.requirements import import_reference, require


def choose(kind: str, choice: ComponentChoice, place: str) -> Chosen:
    """The component and options that a recipe names.

    Raises:
        UserError: unknown or ambiguous name, unknown preset or wrong options; every mistake, with the place.
    """
    try:
        return choose_component(manager(), kind, choice.model_dump(), place)
    except RegistryError as error:
        raise UserError(error.what, error.remedy) from error


def choose_losses(chosen: Chosen, values: Mapping[str, Any], place: str) -> BaseModel | None:
    """What a pretraining recipe says of the part's losses, checked by the part's own model; None if it has none.

    Raises:
        UserError: the part cannot be trained alone, takes no such settings, or one is wrong; every mistake at once.
    """
    component = chosen.component
    if not component.spec.pretraining:
        others = [other for other in manager().components(component.kind) if other.spec.pretraining]
        raise UserError(
            f"part: {component.qualified} cannot be trained alone: it offers no pretraining",
            f"parts of this kind that can: {', '.join(manager().spelling(other) for other in others) or 'none'}",
        )
    if not component.spec.losses:
        if values:
            raise UserError(f"{place}: {component.qualified} takes none, but {', '.join(values)} is given", "remove it")
        return None
    try:
        return validated(component, component.spec.losses, values, place)
    except RegistryError as error:
        raise UserError(error.what, error.remedy) from error


def load(component: Component, reference: str) -> Any:
    """Import the code that a spec names; a missing library is a `UserError` that names the distribution."""
    try:
        require(component)
        return import_reference(reference, component)
    except RegistryError as error:
        raise UserError(error.what, error.remedy) from error
