"""The errors of the engine: each says what was wrong, and most say what mends it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RegistryError(Exception):
    """Base of every error that the engine raises on purpose.

    Attributes:
        what: what was wrong, with the value and what is allowed.
        remedy: the command or edit that mends it, or None.
    """

    def __init__(self, what: str, remedy: str | None = None) -> None:
        super().__init__(what if remedy is None else f"{what}\n{remedy}")
        self.what, self.remedy = what, remedy


class PolicyError(RegistryError):
    """The allow- and deny-lists cannot be read."""


class PluginError(RegistryError):
    """A plugin breaks the contract of its hooks, or (in strict mode) could not be loaded."""


class UnknownKind(RegistryError):
    """A kind of component that the program does not have."""


class UnknownComponent(RegistryError):
    """No loaded plugin declares a component of this name and kind."""


class AmbiguousComponent(RegistryError):
    """Several distributions claim the name."""


class MissingRequirements(RegistryError):
    """The component's declared requirements are not installed."""


class BrokenReference(RegistryError):
    """A ``package.module:attribute`` that a plugin declares cannot be imported or is not what it should be."""


class Notice(UserWarning):
    """Base of the warnings that are meant for the user of the program and shown without a place in the code."""


class OtherCode(Notice):
    """Something was made with another version of a component, or with other code of it, than runs now."""


class Deprecated(Notice):
    """A component or an option that will go is used."""


def nearest(word: str, words: Iterable[str], limit: int = 3) -> list[str]:
    """The ``words`` most like ``word``, best first, compared without regard to case; empty if none is near."""
    by_key: dict[str, str] = {}
    for candidate in words:
        by_key.setdefault(candidate.casefold(), candidate)
    return [by_key[key] for key in difflib.get_close_matches(word.casefold(), by_key, n=limit, cutoff=0.6)]


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """`` (did you mean 'a' or 'b'?)`` with the words nearest to ``word``, or an empty string."""
    near = nearest(word, words)
    return f" (did you mean {' or '.join(map(repr, near))}?)" if near else ""
