"""What a report shows: columns of scores, lines of models, and what must be said beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from janus_bench.statistics.intervals import Interval
from janus_bench.stored import Stored
from janus_core.interfaces import Task
from janus_core.scores import Unit

Kind = Literal["run", "seeds", "paper"]


@dataclass(frozen=True, slots=True)
class Column:
    """A headline score under one version of a protocol."""

    protocol: str
    version: int
    score: str
    unit: Unit
    task: Task | None

    @property
    def benchmark(self) -> str:
        return self.protocol.partition("@")[0]

    @property
    def side(self) -> str:
        """The side of the model; ``other`` where the score names none."""
        return self.task or "other"

    @property
    def better(self) -> str:
        """Which way is better, as an arrow."""
        return "↓" if self.unit == "distance" else "↑"


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of one line.

    Attributes:
        values: one a training seed where the line has several; else the value alone.
        deviation: over seeds (n - 1).
        differs: why it must not be held against the column; empty if it may.
        note: of how it was made.
    """

    value: float
    interval: Interval | None = None
    values: tuple[float, ...] = ()
    deviation: float | None = None
    differs: str = ""
    note: str = ""


@dataclass(slots=True)
class Line:
    """A model: one run, several runs that are its seeds, or a row of a paper.

    Attributes:
        random: parts whose weights are random and were never trained.
        refused: columns whose number must not be shown.
    """

    name: str
    kind: Kind
    cells: dict[Column, Cell] = field(default_factory=dict)
    random: tuple[str, ...] = ()
    refused: frozenset[Column] = frozenset()


@dataclass(slots=True)
class Report:
    """Everything that the three renderings show.

    Attributes:
        baselines: per column, what a model without sight or skill gets (of the runs; where they agree).
        cards: (name of the line, card) of everything that was measured and may be shown.
        refused: sentences on what is not shown.
        warnings: sentences on what must be read with care.
        links: source -> address.
    """

    columns: list[Column]
    lines: list[Line]
    baselines: Mapping[Column, Mapping[str, float]]
    cards: list[tuple[str, Stored]]
    refused: list[str]
    warnings: list[str]
    links: Mapping[str, str]

    @property
    def own(self) -> list[Line]:
        """The lines that were measured here."""
        return [line for line in self.lines if line.kind != "paper"]

    @property
    def papers(self) -> list[Line]:
        return [line for line in self.lines if line.kind == "paper"]

    def of_side(self, side: str) -> list[Column]:
        """The columns of a side of the model."""
        return [column for column in self.columns if column.side == side]
