"""The state of the process that a component must leave alone: taken, compared and put back."""

from __future__ import annotations

import contextlib
import io
import os
import random
import socket
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import numpy as np
import torch

ENVIRONMENT = "the environment variable"
"""With what a change of the environment begins."""


@dataclass(frozen=True, slots=True)
class State:
    """Settings and random generators of this process at one moment."""

    settings: dict[str, Any]
    environment: dict[str, str]
    generators: dict[str, Any]

    @classmethod
    def now(cls) -> State:
        settings = {
            "torch's default dtype": torch.get_default_dtype(),
            "torch's grad mode": torch.is_grad_enabled(),
            "torch's number of threads": torch.get_num_threads(),
            "torch's default device": torch.get_default_device(),
            "torch's deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
            "torch's matmul precision": torch.get_float32_matmul_precision(),
            "torch.backends.cudnn.benchmark": torch.backends.cudnn.benchmark,
            "the working directory": os.getcwd(),
        }
        generators = {"torch": torch.get_rng_state(), "numpy": np.random.get_state(), "python": random.getstate()}
        return cls(settings, dict(os.environ), generators)

    def restore(self) -> None:
        """Make all as it was."""
        settings = self.settings
        torch.set_default_dtype(settings["torch's default dtype"])
        torch.set_grad_enabled(settings["torch's grad mode"])
        if torch.get_num_threads() != settings["torch's number of threads"]:
            torch.set_num_threads(settings["torch's number of threads"])
        if torch.get_default_device() != settings["torch's default device"]:
            torch.set_default_device(settings["torch's default device"])
        torch.use_deterministic_algorithms(settings["torch's deterministic algorithms"])
        torch.set_float32_matmul_precision(settings["torch's matmul precision"])
        torch.backends.cudnn.benchmark = settings["torch.backends.cudnn.benchmark"]
        os.chdir(settings["the working directory"])
        if dict(os.environ) != self.environment:
            os.environ.clear()
            os.environ.update(self.environment)
        torch.set_rng_state(self.generators["torch"])
        np.random.set_state(self.generators["numpy"])
        random.setstate(self.generators["python"])

    def changes(self, later: State) -> list[str]:
        """What is set otherwise later, in words with both values."""
        found = [f"{name} {value} -> {later.settings[name]}" for name, value in self.settings.items()
                 if later.settings[name] != value]  # fmt: skip
        names = sorted(self.environment.keys() | later.environment.keys())
        # pytest writes the running test there; it is none of the component's.
        changed = [
            n for n in names if self.environment.get(n) != later.environment.get(n) and n != "PYTEST_CURRENT_TEST"
        ]
        return found + [f"{ENVIRONMENT} {name} -> {later.environment.get(name)!r}" for name in changed]

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


class NetworkUsed(OSError):
    """Something reached for the network while that is not allowed."""


@contextlib.contextmanager
def no_network(attempts: list[str]) -> Iterator[None]:
    """Within, every connection and every look-up of a name fails, and is noted in ``attempts``."""

    def refuse(place: str) -> Any:
        def refused(*arguments: Any, **_: Any) -> Any:
            shown = [item for item in arguments if not isinstance(item, socket.socket)]
            if arguments and isinstance(arguments[0], socket.socket) and arguments[0].family == socket.AF_UNIX:
                return None
            attempts.append(f"{place}({', '.join(map(repr, shown[:2]))})")
            raise NetworkUsed(f"{attempts[-1]}: the conformance kit allows no network here")

        return refused

    with contextlib.ExitStack() as stack:
        for owner, name in (
            (socket.socket, "connect"),
            (socket.socket, "connect_ex"),
            (socket, "create_connection"),
            (socket, "getaddrinfo"),
            (socket, "gethostbyname"),
        ):
            stack.enter_context(mock.patch.object(owner, name, refuse(name)))
        yield


@dataclass(slots=True)
class Phase:
    """What a component did to the process in one phase of its life (import, build, transform, forward)."""

    name: str
    changes: list[str] = field(default_factory=list)
    drawn: list[str] = field(default_factory=list)
    network: list[str] = field(default_factory=list)
    printed: str = ""
    warned: list[str] = field(default_factory=list)
    error: Exception | None = None


@contextlib.contextmanager
def watched(name: str) -> Iterator[Phase]:
    """Note what happens within; an error is noted too and goes no further, and the state is put back."""
    phase, before, text = Phase(name), State.now(), io.StringIO()
    try:
        with (
            warnings.catch_warnings(record=True) as caught,
            contextlib.redirect_stdout(text),
            contextlib.redirect_stderr(text),
            no_network(phase.network),
        ):
            warnings.simplefilter("always")
            try:
                yield phase
            except Exception as error:  # noqa: BLE001  (a stranger's code may raise anything; a check reports it)
                phase.error = error
        after = State.now()
        phase.changes, phase.drawn = before.changes(after), before.drawn(after)
        phase.printed = text.getvalue()
        phase.warned = [f"{item.category.__name__}: {item.message}" for item in caught]
    finally:
        before.restore()
