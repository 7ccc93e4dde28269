"""``name@protocol`` and options in words -> a benchmark, its protocol and its options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from janus_core.config.choose import choose, load
from janus_core.config.load import apply_set
from janus_core.config.recipe import ComponentChoice
from janus_core.errors import UserError
from janus_core.hookspecs import BenchmarkSpec, ProtocolSpec
from janus_core.interfaces import Benchmark, BuildContext
from janus_registry.errors import did_you_mean
from janus_registry.options import Chosen


@dataclass(frozen=True, slots=True)
class ChosenBenchmark:
    """A benchmark as the user wants it.

    Attributes:
        component: with its validated options.
        protocol: one of its spec's.
    """

    component: Chosen
    protocol: ProtocolSpec

    @property
    def spec(self) -> BenchmarkSpec:
        return cast(BenchmarkSpec, self.component.component.spec)

    @property
    def id(self) -> str:
        """``name@protocol``."""
        return f"{self.spec.name}@{self.protocol.name}"

    @property
    def options(self) -> dict[str, Any]:
        """The options as JSON has them."""
        return self.component.options.model_dump(mode="json")

    def build(self) -> Benchmark:
        """Import and build it."""
        factory = load(self.component.component, self.spec.factory)
        return cast(Benchmark, factory(self.component.options, BuildContext()))


def chosen_benchmark(choice: ComponentChoice, protocol: str | None = None, place: str = "benchmark") -> ChosenBenchmark:
    """The benchmark of a choice whose ``type`` is ``name`` or ``name@protocol``.

    Args:
        protocol: its name with or without ``name@`` before it; None: the one in ``type``, or the first.
        place: where the choice is written, for messages.

    Raises:
        UserError: there is no such benchmark or protocol, or an option is wrong; the nearest are named.
    """
    name, _, asked = choice.type.partition("@")
    found = choose("benchmark", choice.model_copy(update={"type": name}), place)
    spec = cast(BenchmarkSpec, found.component.spec)
    wanted = asked or None
    if protocol is not None:
        wanted = protocol.removeprefix(f"{spec.name}@").removeprefix(f"{name}@")
        if asked and asked != wanted:
            raise UserError(f"{choice.type} and --protocol {protocol} disagree", "name the protocol once")
    if wanted is None:
        return ChosenBenchmark(found, spec.protocols[0])
    for one in spec.protocols:
        if one.name == wanted:
            return ChosenBenchmark(found, one)
    names = [one.name for one in spec.protocols]
    raise UserError(
        f"{spec.name} has no protocol {wanted!r}{did_you_mean(wanted, names)}", f"its protocols: {', '.join(names)}"
    )


def choices(names: Sequence[str], sets: Sequence[str]) -> list[ComponentChoice]:
    """The choices of a command line.

    Args:
        names: ``name`` or ``name@protocol``, each once.
        sets: ``option=value``, or ``name.option=value`` where several benchmarks are named.

    Raises:
        UserError: one is named twice, or a setting belongs to none of them.
    """
    values: dict[str, Any] = {}
    plain = [name.partition("@")[0] for name in names]
    for text in sets:
        owner = text.partition("=")[0].partition(".")[0]
        if owner not in plain and len(set(plain)) > 1:
            raise UserError(
                f"--set {text!r} does not say whose option it is",
                f"write --set NAME.{text} with NAME one of {', '.join(dict.fromkeys(plain))}",
            )
        apply_set(values, text if owner in plain else f"{plain[0]}.{text}")
    if twice := sorted({name for name in names if list(names).count(name) > 1}):
        raise UserError(f"{', '.join(twice)} is named twice", "name each once")
    return [ComponentChoice(type=name, options=values.get(owner, {})) for name, owner in zip(names, plain, strict=True)]
