"""What a study file may say; help texts and errors come from these fields. Imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from janus_core.config.recipe import ComponentChoice

Quantity = Literal["steps", "samples", "understanding", "text", "generation"]
"""Optimiser steps, samples of all tasks, samples of one task."""

Overrides = dict[str, Any]
"""Dotted path in the recipe -> its value."""

Selection = dict[str, list[str]]
"""Axis -> labels of its values."""


class Strict(BaseModel):
    """A name that is not a field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Match(Strict):
    """Quantities that must be equal among some rows; the plan shows and checks them before anything runs."""

    equal: list[Quantity] = Field(
        min_length=1, description="steps, samples, or the samples of a task: understanding, text, generation"
    )
    among: Selection = Field(default_factory=dict, description="axis -> labels that are compared; left out: all rows")
    each_stage: bool = Field(default=True, description="equal in every stage; false: only their sum over the stages")
    tolerance: float = Field(default=0.0, ge=0, lt=1, description="relative difference that still counts as equal")
    otherwise: Literal["refuse", "report"] = Field(
        default="refuse", description="what happens if they are not equal: nothing runs, or the report says so"
    )

    _lists = field_validator("among", mode="before")(lambda value: _label_lists(value))


class Study(Strict):
    """A recipe, what varies in it, what must be equal, and what is measured."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="name of the study")
    description: str = Field(default="", description="what it asks")
    recipe: str = Field(description="what varies: a recipe file (relative to the study), or the name of a shipped one")
    set: Overrides = Field(default_factory=dict, description="dotted path -> value, in every cell; axes come after it")
    axes: dict[str, dict[str, Overrides]] = Field(
        default_factory=dict,
        description="axis -> {label: {dotted path: value, ...}}; or a dotted path -> the list of its values",
    )
    pairings: list[Selection] = Field(
        default_factory=list,
        description="axis values that go together; of the axes named in a pairing only such combinations are kept",
    )
    exclude: list[Selection] = Field(default_factory=list, description="combinations that are left out")
    seeds: list[int] = Field(default=[0], min_length=1, description="each combination is run once with each seed")
    match: list[Match] = Field(default_factory=list, description="what must be equal")
    benchmarks: list[ComponentChoice] = Field(
        min_length=1, description="what every cell is measured on, by name or name@protocol"
    )
    data: Path | None = Field(
        default=None, description="the benchmarks' files, as --data of 'janus bench run'; relative to this file"
    )
    limit: int | None = Field(default=None, ge=1, description="only the first items of each benchmark")

    _lists = field_validator("pairings", "exclude", mode="before")(
        lambda value: [_label_lists(item) for item in value] if isinstance(value, list) else value
    )

    @field_validator("axes", mode="before")
    @classmethod
    def _bare_lists(cls, value: Any) -> Any:
        """A list of values of one path becomes labels with their overrides."""
        if not isinstance(value, dict):
            return value
        return {
            axis: _labelled(str(axis), values) if isinstance(values, list) else _texts(values)
            for axis, values in value.items()
        }

    @field_validator("axes")
    @classmethod
    def _some_values(cls, value: dict[str, dict[str, Overrides]]) -> dict[str, dict[str, Overrides]]:
        if empty := [axis for axis, values in value.items() if not values]:
            raise ValueError(f"the axis {empty[0]!r} has no values")
        return value

    @field_validator("seeds")
    @classmethod
    def _each_once(cls, value: list[int]) -> list[int]:
        if len(set(value)) != len(value) or min(value) < 0:
            raise ValueError(f"seeds are numbers of 0 or more, each once, not {value}")
        return value

    @model_validator(mode="after")
    def _known_labels(self) -> Study:
        """Every axis and label that is referred to exists."""
        places = [(f"pairings.{i}", item) for i, item in enumerate(self.pairings)]
        places += [(f"exclude.{i}", item) for i, item in enumerate(self.exclude)]
        places += [(f"match.{i}.among", item.among) for i, item in enumerate(self.match)]
        for place, selection in places:
            for axis, labels in selection.items():
                if axis not in self.axes:
                    raise ValueError(f"{place}: no axis is named {axis!r}; axes: {', '.join(self.axes) or 'none'}")
                if unknown := [label for label in labels if label not in self.axes[axis]]:
                    known = ", ".join(self.axes[axis])
                    raise ValueError(f"{place}: the axis {axis!r} has no value {unknown[0]!r}; values: {known}")
        if "seed" in self.set or any("seed" in overrides for v in self.axes.values() for overrides in v.values()):
            raise ValueError("the path 'seed' belongs to the study; write seeds: [0, 1, 2]")
        kinds = [choice.type for choice in self.benchmarks]
        if len(set(kinds)) != len(kinds):
            raise ValueError(f"benchmarks: each at most once, not {', '.join(kinds)}")
        return self


def _label_lists(value: Any) -> Any:
    """A bare label is short for the list of it; labels are texts, also where YAML reads a number."""
    if not isinstance(value, dict):
        return value
    return {str(k): [str(item) for item in v] if isinstance(v, list) else [str(v)] for k, v in value.items()}


def _texts(values: Any) -> Any:
    return {str(label): overrides or {} for label, overrides in values.items()} if isinstance(values, dict) else values


def _labelled(axis: str, values: list[Any]) -> dict[str, Overrides]:
    labels = [_label(value) for value in values]
    if doubled := sorted({label for label in labels if labels.count(label) > 1}):
        raise ValueError(
            f"two values of {axis!r} would be called {doubled[0]!r}; write them as {{label: {{path: value}}}}"
        )
    return {label: {axis: value} for label, value in zip(labels, values, strict=True)}


def _label(value: Any) -> str:
    """A short name of a value: of a component its type and preset."""
    if isinstance(value, dict) and "type" in value:
        return "/".join(str(value[key]) for key in ("type", "preset") if value.get(key))
    return "none" if value is None else str(value)
