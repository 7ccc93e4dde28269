"""The record by which a plugin declares a component: plain data, importable without torch or pydantic."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

NAME = re.compile(r"[a-z0-9]+(?:[-_.][a-z0-9]+)*")
REFERENCE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


class SpecError(ValueError):
    """A spec record that cannot be right: a malformed name or reference."""


def check_name(name: str) -> str:
    """Return ``name``, or raise `SpecError` if it is not a component name such as ``siglip`` or ``my-encoder``."""
    if not NAME.fullmatch(name):
        raise SpecError(f"{name!r} is not a component name: use lower-case letters, digits and single -, _ or .")
    return name


def check_reference(reference: str, role: str) -> str:
    """Return ``reference``, or raise `SpecError` if it is not of the form ``package.module:attribute``."""
    if not REFERENCE.fullmatch(reference):
        raise SpecError(f"{role} {reference!r} must be written 'package.module:attribute'")
    return reference


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentSpec:
    """What every component declares, whatever its kind.

    Code is named by strings (``package.module:attribute``), never imported here, so that listing the components of a
    hundred plugins imports none of their libraries.

    Attributes:
        name: short name, unique in its plugin; ``plugin/name`` is unique everywhere.
        summary: one line for listings.
        factory: ``package.module:attribute`` of the function that builds the component.
        options: ``package.module:attribute`` of the pydantic model of its options (``extra="forbid"``).
        presets: named sets of option values, for example ``{"tiny": {"width": 32}}``.
        capabilities: declared facts that callers may rely on; keys of one's own begin with ``x_``.
        requires: PEP 508 requirements, checked from metadata before the factory is imported.
        licence: SPDX identifier or name of the licence of the component's code and published weights.
        paper: arXiv number or address of the description.
        deprecated: since when it is to go and what to use instead; listed, and told to its users (empty: it stays).
    """

    name: str
    summary: str
    factory: str
    options: str
    presets: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    capabilities: Mapping[str, object] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    licence: str = ""
    paper: str = ""
    deprecated: str = ""

    def __post_init__(self) -> None:
        check_name(self.name)
        check_reference(self.factory, "factory")
        check_reference(self.options, "options")
