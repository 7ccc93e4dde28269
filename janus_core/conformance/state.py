"""The state of the process that a component must leave alone: taken, compared and put back."""

from __future__ import annotations

import contextlib
import io
import os
import random
import sys
import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from janus_core.conformance.deeds import Deeds, watched_deeds
from janus_core.conformance.settings import SETTINGS, difference, replaceable


@dataclass(frozen=True, slots=True)
class State:
    """Settings and random generators of this process at one moment."""

    settings: list[Any]
    environment: dict[str, str]
    generators: dict[str, Any]
    seed: int

    @classmethod
    def now(cls) -> State:
        generators = {"torch": torch.get_rng_state(), "numpy": np.random.get_state(), "python": random.getstate()}
        return cls([setting.get() for setting in SETTINGS], dict(os.environ), generators, torch.initial_seed())

    def restore(self) -> None:
        """Make all as it was."""
        for setting, value in zip(SETTINGS, self.settings, strict=True):
            if setting.get() != value:
                setting.put(value)
        if dict(os.environ) != self.environment:
            os.environ.clear()
            os.environ.update(self.environment)
        torch.set_rng_state(self.generators["torch"])
        np.random.set_state(self.generators["numpy"])
        random.setstate(self.generators["python"])

    def changes(self, later: State, *, library: bool) -> list[str]:
        """What is set otherwise later, in words with both values.

        Args:
            library: what libraries set too when they are imported, the environment among it; or else the rest.
        """
        found = [
            f"{setting.name} {difference(value, other)}"
            for setting, value, other in zip(SETTINGS, self.settings, later.settings, strict=True)
            if setting.library is library and value != other
        ]
        names = sorted(self.environment.keys() | later.environment.keys()) if library else []
        # pytest writes the running test there; it is none of the component's.
        changed = [
            n for n in names if self.environment.get(n) != later.environment.get(n) and n != "PYTEST_CURRENT_TEST"
        ]
        return found + [f"the environment variable {name} -> {later.environment.get(name)!r}" for name in changed]

    def drawn(self, later: State) -> list[str]:
        """Names of the generators whose state is another later."""
        return [name for name, state in self.generators.items() if not _same(state, later.generators[name])]


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, np.ndarray):
        return bool(np.array_equal(first, second))
    if isinstance(first, tuple) and len(first) == len(second):
        return all(_same(a, b) for a, b in zip(first, second, strict=True))
    return bool(first == second)


@contextlib.contextmanager
def pristine() -> Iterator[None]:
    """Whatever is changed within is put back, so that no check is fooled by what an earlier one left behind."""
    before = State.now()
    try:
        yield
    finally:
        before.restore()


@dataclass(slots=True)
class Phase:
    """What a component did to the process in one phase of its life (import, build, transform, forward, training).

    Attributes:
        changes: settings that were changed.
        library_changes: the same, of settings that libraries set too when they are imported.
        imported: whether libraries were imported.
        drawn: global random generators that are in another state.
        seed: what torch's was seeded with, if it was.
    """

    name: str
    changes: list[str] = field(default_factory=list)
    library_changes: list[str] = field(default_factory=list)
    imported: bool = False
    drawn: list[str] = field(default_factory=list)
    seed: int | None = None
    deeds: Deeds = field(default_factory=Deeds)
    printed: str = ""
    warned: list[str] = field(default_factory=list)
    error: Exception | None = None

    def settle(self, again: Phase) -> None:
        """After the same again with every library there: what libraries set is not held against it."""
        self.library_changes = again.library_changes
        self.changes += [text for text in again.changes if text not in self.changes]
        self.drawn += [name for name in again.drawn if name not in self.drawn]
        self.seed = again.seed if self.seed is None else self.seed
        self.printed = self.printed or again.printed
        for name in ("network", "programs", "files", "threads"):
            found = getattr(self.deeds, name)
            found += [text for text in getattr(again.deeds, name) if text not in found]


@contextlib.contextmanager
def watched(name: str, own: Collection[str] = ()) -> Iterator[Phase]:
    """Note what happens within; an error is noted too and goes no further, and the state is put back.

    Args:
        own: top-level names of the component's packages.
    """
    phase, outside, text = Phase(name, deeds=Deeds(own)), State.now(), io.StringIO()
    functions, modules = list(replaceable()), set(sys.modules)
    try:
        with (
            warnings.catch_warnings(record=True) as caught,
            contextlib.redirect_stdout(text),
            contextlib.redirect_stderr(text),
            watched_deeds(phase.deeds),
        ):
            warnings.simplefilter("always")
            before = State.now()
            try:
                yield phase
            except Exception as error:  # noqa: BLE001  (a stranger's code may raise anything; a check reports it)
                phase.error = error
            after = State.now()
        phase.changes = before.changes(after, library=False)
        phase.library_changes = before.changes(after, library=True)
        phase.drawn, phase.seed = before.drawn(after), after.seed if after.seed != before.seed else None
        phase.imported = any(module.partition(".")[0] not in own for module in sys.modules.keys() - modules)
        phase.printed = text.getvalue()
        phase.warned = [f"{item.category.__name__}: {item.message}" for item in caught]
    finally:
        phase.changes += [
            f"{owner.__name__}.{attribute} is another function"
            for owner, attribute, function in functions
            if vars(owner).get(attribute) is not function and _put_back(owner, attribute, function, own)
        ]
        outside.restore()


def _put_back(owner: Any, attribute: str, function: Any, own: Collection[str]) -> bool:
    """Undo the replacement of a function by one of the component's; False where a library replaced it."""
    new = vars(owner).get(attribute)
    if str(getattr(new, "__module__", "")).partition(".")[0] not in own:
        return False
    setattr(owner, attribute, function)
    return True
