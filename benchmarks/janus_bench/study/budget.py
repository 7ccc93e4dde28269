"""Steps and samples of a recipe's stages, counted from the recipe alone, and whether rows agree in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from pydantic import BaseModel

from janus_bench.study.combine import Labels, selects
from janus_bench.study.file import Match
from janus_core.config.recipe import Recipe, StageConfig

TASKS = ("understanding", "text", "generation")

Budget = dict[str, dict[str, int | None]]
"""Stage -> quantity -> how many; None where it cannot be known before the run."""


def budget(recipe: Recipe) -> Budget:
    """Steps and samples of each task in each stage.

    A mixture in samples is exact to less than one sample, which is rounded here. What a stage takes that counts packed
    rows or tokens depends on the lengths of its samples: None.
    """
    return {stage.name: _stage(stage) for stage in recipe.stages}


def _stage(stage: StageConfig) -> dict[str, int | None]:
    found: dict[str, int | None] = {"steps": stage.steps}
    ratios = {task: Fraction(str(ratio)) for task, ratio in stage.mixture.items() if ratio > 0}
    known = getattr(stage, "batch_unit", "samples") == "samples"
    by_samples = getattr(stage, "mixture_unit", "samples") == "samples" or len(ratios) == 1
    found["samples"] = stage.steps * stage.batch_size if known else None
    for task in TASKS:
        share = ratios.get(task, Fraction(0)) / sum(ratios.values())  # type: ignore[call-overload]
        if not share:
            found[task] = 0
        else:
            found[task] = round(stage.steps * stage.batch_size * share) if known and by_samples else None
    return found


def total(counts: Budget, quantity: str) -> int | None:
    """The sum over the stages; None if one of them is not known."""
    numbers = [stage[quantity] for stage in counts.values()]
    return None if None in numbers else sum(number or 0 for number in numbers)


class Matched(BaseModel):
    """What one rule of ``match`` found.

    Attributes:
        rows: names of the rows that were compared.
        values: row -> the quantity, by stage or in sum.
    """

    quantity: str
    rows: list[str]
    values: dict[str, dict[str, int | None]]
    equal: bool
    refuse: bool
    tolerance: float = 0.0

    def sentence(self) -> str:
        """One line: what is equal or is not."""
        first = next(iter(self.values.values()), {})
        among = ", ".join(self.rows)
        if self.equal:
            said = f"equal: {', '.join(f'{stage} {count:,}' for stage, count in first.items() if count)}"
            return f"{self.quantity} of {among}: {said}" + (
                f" (within {self.tolerance:.1%})" if self.tolerance and self._differ() else ""
            )
        told = "; ".join(f"{row} has {_counts(counts)}" for row, counts in self.values.items())
        return f"{self.quantity} of {among}: NOT equal: {told}"

    def _differ(self) -> bool:
        return len({tuple(sorted(counts.items())) for counts in self.values.values()}) > 1


def _counts(counts: Mapping[str, int | None]) -> str:
    return ", ".join(f"{stage} {'unknown' if count is None else f'{count:,}'}" for stage, count in counts.items())


def check_matches(rules: Sequence[Match], rows: Mapping[str, tuple[Labels, Budget]]) -> list[Matched]:
    """Apply the rules to the rows, named by their labels."""
    found = []
    for rule in rules:
        compared = {name: counts for name, (labels, counts) in rows.items() if selects(rule.among, labels)}
        for quantity in rule.equal:
            values: dict[str, dict[str, int | None]] = {
                name: {stage: numbers[quantity] for stage, numbers in counts.items()}
                if rule.each_stage
                else {"all stages": total(counts, quantity)}
                for name, counts in compared.items()
            }
            equal = _equal(list(values.values()), rule.tolerance)
            facts: dict[str, Any] = {"equal": equal, "refuse": rule.otherwise == "refuse", "tolerance": rule.tolerance}
            found.append(Matched(quantity=quantity, rows=list(compared), values=values, **facts))
    return found


def _equal(values: Sequence[Mapping[str, int | None]], tolerance: float) -> bool:
    stages = {stage for counts in values for stage in counts}
    for stage in stages:
        numbers = [counts.get(stage, 0) for counts in values]
        known = [number for number in numbers if number is not None]
        if len(known) < len(numbers) or max(known) - min(known) > tolerance * max(known):
            return False
    return True
