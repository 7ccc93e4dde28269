"""A plan as text: its rows, their budgets, what is equal, and how many cells there are."""

from __future__ import annotations

from collections.abc import Sequence

from janus_bench.study.budget import TASKS, total
from janus_bench.study.plan import Plan, Row


def plan_text(plan: Plan, done: frozenset[str] = frozenset()) -> str:
    """The plan as ``janus study plan`` prints it.

    Args:
        done: ids of cells that need not run.
    """
    head = ["row", "cells", "steps", *(f"{task} samples" for task in TASKS), "parameters", "trained"]
    lines = aligned([head, *(_line(row) for row in plan.rows)])
    stages = [["row", "stage", "steps", *TASKS]]
    for row in plan.rows:
        for stage, counts in row.budget.items():
            stages.append([row.name, stage, *(_number(counts[name]) for name in ("steps", *TASKS))])
    differs = [line for row in plan.rows for line in _differs(row)]
    cells = len(plan.cells)
    parts = [
        f"study {plan.name}: {len(plan.rows)} rows x {len(plan.seeds)} seeds = {cells} cells"
        + (f", {len(done & plan.cells.keys())} done" if done else ""),
        *([plan.description.strip()] if plan.description else []),
        f"recipe: {plan.recipe}",
        f"benchmarks: {', '.join(' '.join(words) for words in plan.benchmarks.values())}",
        "",
        *lines,
        "",
        *aligned(stages),
        "",
        "what differs:",
        *differs,
    ]
    if plan.matched:
        parts += ["", "what must be equal:", *(f"  {item.sentence()}" for item in plan.matched)]
    return "\n".join(parts)


def aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table with a header."""
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    texts = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]
    return [texts[0], "-" * max(map(len, texts)), *texts[1:]]


def _line(row: Row) -> list[str]:
    counted = row.parameters or {}
    return [
        row.name,
        " ".join(f"{seed}:{cell}" for seed, cell in row.cells.items()),
        *(_number(total(row.budget, name)) for name in ("steps", *TASKS)),
        *(_number(counted.get(name)) for name in ("total", "trained")),
    ]


def _differs(row: Row) -> list[str]:
    same = [f"  {row.name}: the same recipe as {name}, run once" for name in row.also]
    changed = [f"  {row.name}: {text}" for text in row.differs] or [f"  {row.name}: the recipe as it is"]
    return [*changed, *same]


def _number(count: int | None) -> str:
    return "?" if count is None else f"{count:,}" if count else "-"
