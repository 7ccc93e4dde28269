"""What a check is, how one is registered, and what comes of it. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from janus_core.conformance.subject import Subject

SUITE = (1, 0)
"""Version of the suite: the minor rises with a new check, the major when what a check asks for changes."""

Level = Literal["must", "should"]
Status = Literal["passed", "failed", "exempt", "not run"]
STATUSES: tuple[Status, ...] = ("passed", "failed", "exempt", "not run")

ENCODER, TOKENIZER, ADAPTER = "understanding_encoder", "generation_tokenizer", "adapter"
HEAD, LANGUAGE_MODEL = "generation_head", "language_model"
KINDS = (ENCODER, TOKENIZER, ADAPTER, HEAD, LANGUAGE_MODEL)
"""The kinds of components that the kit can check."""
WITH_TRANSFORM = (ENCODER, TOKENIZER)


class Fault(Exception):
    """A component does not do what the check asks for.

    Args:
        what: what was found, with the values.
        mend: the edit that mends it.
    """

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(f"{what}\n{mend}")
        self.what, self.mend = what, mend


class Exempt(Exception):
    """The check cannot apply to what the component declares; the reason is shown and counted."""


class NotRun(Exception):
    """The check was left out here: the reason says what it needs."""


@dataclass(frozen=True, slots=True)
class Check:
    """One question to a component.

    Attributes:
        id: stable name, in listings and on cards.
        level: ``must`` decides the result; ``should`` is shown and counted.
        kinds: kinds of components that it is put to.
        title: what is asked, one line.
        prevents: the failure that it prevents.
        unless: capability that exempts a component that declares it as False; empty: nothing does.
        slow: run only when asked for.
        processes: needs another process.
        since: version of the suite that brought it: write it for every check that is added.
    """

    id: str
    level: Level
    kinds: tuple[str, ...]
    title: str
    prevents: str
    function: Callable[[Subject], str | None]
    unless: str = ""
    slow: bool = False
    processes: bool = False
    since: tuple[int, int] = (1, 0)

    @property
    def level_now(self) -> Level:
        """``level``; but a check that this minor of the suite brought only advises, and binds from the next one on."""
        return "should" if self.since == SUITE and SUITE[1] > 0 else self.level


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one check of one component; ``why`` and ``mend`` are empty unless it failed."""

    check: str
    level: Level
    status: Status
    what: str = ""
    why: str = ""
    mend: str = ""
    seconds: float = 0.0

    @property
    def gates(self) -> bool:
        """Whether the component fails by it."""
        return self.status == "failed" and self.level == "must"


_CHECKS: dict[str, Check] = {}


def check(
    id: str, level: Level, kinds: tuple[str, ...], title: str, *, prevents: str, **more: Any
) -> Callable[[Callable[[Subject], str | None]], Callable[[Subject], str | None]]:
    """Register a function as a check; it returns a note or None, or raises `Fault`, `Exempt` or `NotRun`."""

    def register(function: Callable[[Subject], str | None]) -> Callable[[Subject], str | None]:
        if id in _CHECKS:
            raise ValueError(f"two checks are called {id!r}")
        _CHECKS[id] = Check(id, level, kinds, title, prevents, function, **more)
        return function

    return register


def checks(kind: str | None = None) -> tuple[Check, ...]:
    """The checks of one kind, or all, in the order in which they run: causes before their consequences."""
    import janus_core.conformance.checks  # noqa: F401  (registers them)

    return tuple(found for found in _CHECKS.values() if kind is None or kind in found.kinds)


def check_ids(kinds: Iterable[str] = KINDS) -> list[str]:
    """Names of the checks that any of these kinds is put to."""
    wanted = set(kinds)
    return [found.id for found in checks() if wanted & set(found.kinds)]
