"""Whether two cards of one protocol may be compared, and what must be said beside the comparison."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from janus_bench.stored import Stored

SCORED_BY = ("judge", "extractor", "detector", "colour", "features", "preprocess", "reference")
"""Settings that decide what a prediction is worth: numbers of two of them are of two scales."""
NOT_TOLD = ("limit", "batch_size", "seed")
"""Settings that change no meaning: other items are named one by one, and another seed is another draw of the same."""


@dataclass(frozen=True, slots=True)
class Comparable:
    """What is known before any number is looked at.

    Attributes:
        refused: why not; empty if they may be compared.
    """

    refused: str = ""
    warnings: tuple[str, ...] = ()


def check(one: Stored, other: Stored) -> Comparable:
    """Judge two cards of the same protocol by version, stand-ins and settings."""
    a, b = one.card, other.card
    if a.version != b.version:
        return Comparable(f"scored with version {a.version} and version {b.version}: score the older again")
    for stored in (one, other):
        if stored.card.stand_in:
            return Comparable(f"{stored.about.model} was scored with a stand-in: {stored.card.stand_in}")
    differing = list(_differing(a.settings, b.settings))
    for name, mine, theirs in differing:
        if any(part.startswith(SCORED_BY) for part in name.split(".")):
            return Comparable(f"scored differently: {name} is {_told(mine)} and {_told(theirs)}")
    return Comparable(
        warnings=tuple(
            f"run differently: {name} is {_told(mine)} and {_told(theirs)}"
            for name, mine, theirs in differing
            if name.rpartition(".")[2] not in NOT_TOLD
        )
    )


def _told(value: Any) -> str:
    return "not recorded" if value is None else repr(value)


def _differing(one: Mapping[str, Any], other: Mapping[str, Any], under: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(dotted name, value, value) of the settings that differ; a setting that one lacks is None there."""
    for name in dict.fromkeys([*one, *other]):
        mine, theirs = one.get(name), other.get(name)
        if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
            yield from _differing(mine, theirs, f"{under}{name}.")
        elif mine != theirs:
            yield f"{under}{name}", mine, theirs
