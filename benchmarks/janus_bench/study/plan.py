"""A study file -> what would run: rows, cells with ids by content, budgets. Pure, and without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from janus_bench.chosen import chosen_benchmark
from janus_bench.study.budget import Budget, Matched, budget, check_matches
from janus_bench.study.cells import content, described, identity, resolve, settings
from janus_bench.study.combine import Labels, combinations
from janus_bench.study.file import Study
from janus_core.config.catalog import find_recipe
from janus_core.config.extend import read_extended
from janus_core.config.load import load
from janus_core.config.recipe import Recipe
from janus_core.errors import UserError

PLAN = "plan.json"
"""The plan in the folder of a study: what its report goes by."""


class Row(BaseModel):
    """A combination: one cell for each seed.

    Attributes:
        name: labels of its axes; of combinations that resolve to one recipe the first.
        also: names of the others.
        sets: what ``janus train`` is given, without the seed.
        differs: the overrides of the axes alone.
        cells: seed -> id of the cell.
        parameters: ``total`` and ``trained``, where they were counted.
    """

    name: str
    labels: Labels
    also: list[str] = Field(default_factory=list)
    sets: list[str]
    differs: list[str]
    budget: Budget
    cells: dict[int, str]
    parameters: dict[str, int] | None = None


class Plan(BaseModel):
    """Everything that a run of the study needs.

    Attributes:
        recipe: the file of the recipe that varies.
        benchmarks: arguments of ``janus bench run`` by component, the model and the output apart.
    """

    name: str
    description: str
    recipe: Path
    seeds: list[int]
    benchmarks: dict[str, list[str]]
    rows: list[Row]
    matched: list[Matched]

    @property
    def cells(self) -> dict[str, tuple[Row, int]]:
        """Id -> row and seed; all rows of one seed before the next, so that early results already compare."""
        return {row.cells[seed]: (row, seed) for seed in self.seeds for row in self.rows}

    @property
    def unmatched(self) -> list[Matched]:
        """What must be equal and is not."""
        return [item for item in self.matched if not item.equal and item.refuse]


def read_study(path: Path, sets: Sequence[str] = ()) -> Study:
    """The study in a file; `UserError` with every mistake."""
    return load(Study, find_study(path), sets)


def find_study(path: Path) -> Path:
    """The file of a study, given as a path or by the name of a shipped one."""
    from janus_core.config.catalog import studies

    if path.is_file():
        return path
    shipped = studies()
    name = str(path).removeprefix("recipes/").removeprefix("studies/").removesuffix(".yaml")
    if name in shipped:
        return shipped[name]
    raise UserError(
        f"there is no study {str(path)!r}: no such file, and no shipped study of this name",
        f"shipped studies: {', '.join(shipped) or 'none'}",
    )


def make_plan(study: Study, folder: Path) -> Plan:
    """Expand, check and number a study.

    Args:
        folder: the study's; a recipe given by a relative path is looked for there first.

    Raises:
        UserError: every mistake of every combination, each once.
    """
    path = find_recipe(str(folder / study.recipe) if (folder / study.recipe).exists() else study.recipe).resolve()
    values, _ = read_extended(path)
    shared = settings(study.set)
    wanted = [chosen_benchmark(choice, place=f"benchmarks.{index}") for index, choice in enumerate(study.benchmarks)]
    measured = [described(one.component) | {"protocol": one.id, "version": one.protocol.version} for one in wanted]
    if study.data is not None and not (folder / study.data).is_dir():
        raise UserError(f"study {study.name}: data: {folder / study.data} is no folder", "correct the path")
    rows: dict[str, Row] = {}
    mistakes: dict[str, tuple[str, str | None]] = {}
    for labels, overrides in combinations(study):
        name, differs = row_name(labels), settings(overrides)
        sets = [*shared, *differs]
        try:
            recipe = resolve(values, sets, path.parent, name)
        except UserError as error:
            mistakes.setdefault(error.what.partition(": ")[2], (error.what, error.remedy))
            continue
        told = content(recipe)
        told.pop("seed", None)
        key = identity(told, measured, study.limit)
        if key in rows:
            rows[key].also.append(name)
            continue
        cells = {seed: identity(key, seed) for seed in study.seeds}
        rows[key] = Row(name=name, labels=labels, sets=sets, differs=differs, budget=budget(recipe), cells=cells)
    if mistakes:
        raise _together(study.name, list(mistakes.values()))
    named = {row.name: (row.labels, row.budget) for row in rows.values()}
    return Plan(
        name=study.name,
        description=study.description,
        recipe=path,
        seeds=study.seeds,
        benchmarks={choice.type: _arguments(choice.model_dump(), study, folder) for choice in study.benchmarks},
        rows=list(rows.values()),
        matched=check_matches(study.match, named),
    )


def row_name(labels: Mapping[str, str]) -> str:
    """The label of the only axis, or ``axis=label`` of each; a dotted path goes by its last telling word."""
    if len(labels) == 1:
        return next(iter(labels.values()))
    return (
        " ".join(f"{axis.removesuffix('.type').rpartition('.')[2]}={label}" for axis, label in labels.items()) or "all"
    )


def read_plan(folder: Path) -> Plan:
    """The plan that a run left in its folder.

    Raises:
        UserError: there is none.
    """
    try:
        return Plan.model_validate(json.loads((folder / PLAN).read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UserError(
            f"{folder} is not the folder of a study: it holds no {PLAN}", "run it: janus study run FILE"
        ) from None


def resolved(plan: Plan, row: Row, seed: int) -> Recipe:
    """The recipe of a cell."""
    return resolve(read_extended(plan.recipe)[0], [*row.sets, f"seed={seed}"], plan.recipe.parent, row.name)


def _arguments(choice: Mapping[str, Any], study: Study, folder: Path) -> list[str]:
    sets = [argument for text in settings(choice["options"]) for argument in ("--set", text)]
    data = [] if study.data is None else ["--data", str((folder / study.data).resolve())]
    return [choice["type"], *sets, *data, *([] if study.limit is None else ["--limit", str(study.limit)])]


def _together(name: str, mistakes: list[tuple[str, str | None]]) -> UserError:
    """One error of all; the remedy stands apart where there is but one."""
    if len(mistakes) == 1:
        return UserError(f"study {name}: {mistakes[0][0]}", mistakes[0][1])
    told = [what + (f"\n  {remedy}" if remedy else "") for what, remedy in mistakes]
    return UserError(f"study {name}: {len(mistakes)} combinations are wrong\n" + "\n".join(told))
