"""The name that an author gives -> the names of the distribution, its package and its component."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass

from janus_core.errors import UserError
from janus_core.plugins import DISTRIBUTION, manager
from janus_registry.discovery import canonical
from janus_registry.spec import NAME

PREFIX = "janus-"
LONGEST = 40


@dataclass(frozen=True, slots=True)
class Names:
    """What one name becomes.

    Attributes:
        distribution: what pip installs, ``janus-my-encoder``.
        package: what Python imports, ``janus_my_encoder``.
        component: what a recipe says, and the name of the plugin: ``my_encoder``.
    """

    distribution: str
    package: str
    component: str


def names_of(given: str) -> Names:
    """The names of a new plugin, with or without ``janus-`` before it.

    Raises:
        UserError: not a name, too long, or one that is taken by an installed package, plugin or component.
    """
    stem = given.removeprefix(PREFIX).removeprefix("janus_")
    if not NAME.fullmatch(stem) or len(stem) > LONGEST:
        usable = canonical(re.sub(r"[^A-Za-z0-9]+", "-", stem)).strip("-")[:LONGEST].strip("-")
        raise UserError(
            f"{given!r} is no name for a plugin: lower-case letters and digits, joined by single -, _ or ., "
            f"at most {LONGEST} of them",
            f"for example {usable if NAME.fullmatch(usable) else 'my-encoder'}",
        )
    stem = canonical(stem)
    component = stem.replace("-", "_")
    names = Names(PREFIX + stem, f"janus_{component}", component)
    _check_free(names)
    return names


def _check_free(names: Names) -> None:
    remedy = f"choose another name, for example my-{names.distribution.removeprefix(PREFIX)}"
    if names.distribution == DISTRIBUTION:
        raise UserError(f"{DISTRIBUTION} is the name of this distribution", remedy)
    for component in manager().components():
        if canonical(component.name) == canonical(names.component):
            owner = f"{component.qualified} of {component.distribution}"
            raise UserError(
                f"the name {names.component!r} is taken by the {component.kind} {owner}; two of one name "
                "must be told apart in every recipe",
                remedy,
            )
    for record in manager().plugins:
        if canonical(record.plugin) == canonical(names.component):
            raise UserError(f"the name {names.component!r} is taken by the plugin {record.plugin} of {record.owner}",
                            remedy)  # fmt: skip
    if importlib.util.find_spec(names.package) is not None:
        raise UserError(f"the import name {names.package} is taken by an installed package", remedy)
