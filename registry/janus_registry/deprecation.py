"""Components and options that will go: declared by their authors, told of to whoever uses them."""

from __future__ import annotations

import warnings
from collections.abc import Container

from pydantic import BaseModel

from janus_registry.errors import Deprecated
from janus_registry.records import Component


def warn_of_deprecated(component: Component, model: type[BaseModel], given: Container[str], place: str) -> None:
    """Warn (`Deprecated`) of a component whose spec says ``deprecated``, and of given options whose field does.

    Args:
        component: what was chosen.
        model: its options model; a field is deprecated by pydantic's ``Field(deprecated="what to write instead")``.
        given: names of the options that were written, not those of a preset or a default.
        place: where, in the user's file.
    """
    where = f"{place}: " if place else ""
    if text := getattr(component.spec, "deprecated", ""):
        warnings.warn(f"{where}{component.qualified} is deprecated: {text}", Deprecated, stacklevel=3)
    for name, field in model.model_fields.items():
        if (written := field.alias or name) in given and (text := field.deprecation_message):
            message = f"{where}the option {written!r} of {component.qualified} is deprecated: {text}"
            warnings.warn(message, Deprecated, stacklevel=3)
