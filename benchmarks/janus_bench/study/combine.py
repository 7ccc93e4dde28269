"""The combinations of a study's axes, without those that its pairings and exclusions leave out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from janus_bench.study.file import Overrides, Selection, Study
from janus_core.errors import UserError

Labels = dict[str, str]
"""Axis -> label of its value, in the order of the file."""


def combinations(study: Study) -> list[tuple[Labels, Overrides]]:
    """Labels and recipe overrides of every combination that is kept, in the order of the file.

    Raises:
        UserError: none is left, or two axes change the same place of the recipe.
    """
    found = []
    for chosen in itertools.product(*(values for values in study.axes.values())):
        labels = dict(zip(study.axes, chosen, strict=True))
        if _paired(labels, study.pairings) and not any(selects(item, labels) for item in study.exclude):
            found.append((labels, dict(_joined(study, labels))))
    if not found:
        raise UserError(
            f"study {study.name}: pairings and exclude leave no combination",
            "loosen them; every combination must match a pairing and no exclusion",
        )
    return found


def selects(selection: Selection, labels: Mapping[str, str]) -> bool:
    """Whether a combination has one of the labels of each axis that the selection names."""
    return all(labels[axis] in wanted for axis, wanted in selection.items())


def _paired(labels: Mapping[str, str], pairings: Sequence[Selection]) -> bool:
    """Of pairings of the same axes one must hold; those of other axes are a question of their own."""
    groups: dict[frozenset[str], list[Selection]] = {}
    for item in pairings:
        groups.setdefault(frozenset(item), []).append(item)
    return all(any(selects(item, labels) for item in group) for group in groups.values())


def _joined(study: Study, labels: Labels) -> Iterator[tuple[str, object]]:
    taken: dict[str, str] = {}
    for axis, label in labels.items():
        overrides = study.axes[axis][label]
        for path in overrides:
            for other, owner in taken.items():
                if f"{path}.".startswith(f"{other}.") or f"{other}.".startswith(f"{path}."):
                    raise UserError(
                        f"axes.{axis}.{label} changes {path}, and axes.{owner}.{labels[owner]} changes {other}: which "
                        "holds would depend on their order",
                        "let one axis change both places, or leave the combination out with exclude",
                    )
        taken |= dict.fromkeys(overrides, axis)
        yield from overrides.items()
