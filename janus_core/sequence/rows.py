"""Which samples share a packed row."""

from __future__ import annotations

from collections.abc import Sequence


def first_row(lengths: Sequence[int], budget: int) -> list[int]:
    """Indices of the samples of one row: the first sample, then in order each that still fits into the budget.

    Args:
        lengths: tokens of the samples that wait, the one that waited longest first; none is above the budget.
    """
    row, room = [0], budget - lengths[0]
    for index in range(1, len(lengths)):
        if lengths[index] <= room:
            row.append(index)
            room -= lengths[index]
    return row


def all_rows(lengths: Sequence[int], budget: int | None) -> list[list[int]]:
    """Share all samples out over rows of at most ``budget`` tokens; without a budget they lie in one row."""
    left = list(range(len(lengths)))
    if budget is None:
        return [left]
    rows = []
    while left:
        row = [left[at] for at in first_row([lengths[index] for index in left], budget)]
        rows.append(row)
        left = [index for index in left if index not in set(row)]
    return rows
