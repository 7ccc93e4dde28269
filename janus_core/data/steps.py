"""What one optimiser step trains on: packed rows, this process' part of the step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from janus_core.config.recipe import Recipe, StageConfig
from janus_core.data.lengths import sample_ratios
from janus_core.data.loader import Item, SampleLoader, StageDataset
from janus_core.data.mixture import Draw, Mixture, SamplePlan, StreamPlan
from janus_core.interfaces import DataSource
from janus_core.sequence.assemble import Assembled, Assembler
from janus_core.sequence.pack import Batch, pack
from janus_core.sequence.rows import all_rows, first_row

LOOK_AHEAD = 32
"""Samples that wait to be packed, from which each row is filled."""


@dataclass(slots=True)
class Place:
    """Where a process stands in its stream of samples after a step.

    Attributes:
        taken: samples read.
        waiting: those of them that no row holds yet, by their place in the stream.
    """

    taken: int = 0
    waiting: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Step:
    """The rows of a step, one forward pass each, and the bad records met while making them.

    Attributes:
        samples: what each row was packed of.
        place: where the stream of samples stands after the step; None where the number of the step says it.
        spare: a row that is not learned, for a process that has fewer rows than others.
    """

    rows: tuple[Batch, ...]
    samples: tuple[tuple[Assembled, ...], ...]
    bad: tuple[str, ...]
    place: Place | None = None
    spare: Batch | None = None


class Packer(Protocol):
    """Assembled samples, and spare ones that are not learned -> a row."""

    def __call__(self, samples: Sequence[Assembled], spare: Sequence[Assembled] = ()) -> Batch: ...


def row_packer(stage: StageConfig, assembler: Assembler) -> Packer:
    """Packs what this assembler made, as the stage says."""
    transforms = {route: item.transform for route, item in assembler.routes.items()}

    def packer(samples: Sequence[Assembled], spare: Sequence[Assembled] = ()) -> Batch:
        return pack(samples, transforms, assembler.target_transform, isolate=stage.isolate_samples, spare=spare)

    return packer


class Steps(Iterable[Step]):
    """The steps of a stage from one on.

    Its length is that of the whole stage also when it starts later, as Lightning counts on when it resumes.

    Args:
        start: first step to give.
        place: where the stream stood when the run was saved; for a stage whose batches count rows.
        rank, world: of this process.
        complete: every row passes through every part of the model, with spare samples where it has none of its own.
    """

    def __init__(
        self,
        stage: StageConfig,
        mixture: Mixture,
        dataset: StageDataset,
        assembler: Assembler,
        *,
        workers: int,
        start: int = 0,
        place: Place | None = None,
        rank: int = 0,
        world: int = 1,
        complete: bool = False,
    ) -> None:
        self._stage, self._start, self._place = stage, start, place or Place()
        self.pack = row_packer(stage, assembler)
        self._spare = _spare_samples(stage, dataset) if complete else []
        self._rows_a_step = stage.batch_size * (rank + 1) // world - stage.batch_size * rank // world
        plan: Iterable[list[Draw]]
        if stage.batch_unit == "samples":
            plan = SamplePlan(mixture, stage.batch_size, stage.steps, start, rank, world)
        else:
            plan = StreamPlan(mixture, rank=rank, world=world, skip=self._place.taken, first=tuple(self._place.waiting))
        self._loader = SampleLoader(dataset, plan, workers=workers)

    def __len__(self) -> int:
        return self._stage.steps

    def __iter__(self) -> Iterator[Step]:
        return self._of_samples() if self._stage.batch_unit == "samples" else self._of_rows()

    def _of_samples(self) -> Iterator[Step]:
        for items in self._loader:
            samples = [sample for sample, _ in items]
            rows = all_rows([len(sample.ids) for sample in samples], self._stage.row_tokens)
            bad = [text for _, texts in items for text in texts]
            yield self._step([[samples[index] for index in row] for row in rows], bad)

    def _of_rows(self) -> Iterator[Step]:
        budget = self._stage.row_tokens
        assert budget is not None
        stream = self._numbered()
        waiting: list[tuple[int, Item]] = []
        taken = self._place.taken
        for _ in range(self._start, self._stage.steps):
            rows: list[list[Assembled]] = []
            bad: list[str] = []
            while len(rows) < self._rows_a_step:
                while len(waiting) < LOOK_AHEAD:
                    number, item = next(stream)
                    waiting.append((number, item))
                    taken = max(taken, number + 1)
                chosen = first_row([len(sample.ids) for _, (sample, _) in waiting], budget)
                rows.append([waiting[index][1][0] for index in chosen])
                bad += [text for index in chosen for text in waiting[index][1][1]]
                waiting = [entry for index, entry in enumerate(waiting) if index not in set(chosen)]
            yield self._step(rows, bad, Place(taken, [number for number, _ in waiting]))

    def _step(self, rows: Sequence[Sequence[Assembled]], bad: Sequence[str], place: Place | None = None) -> Step:
        packed = tuple(self.pack(row, _missing(row, self._spare)) for row in rows)
        spare = self.pack([], self._spare) if self._spare else None
        return Step(packed, tuple(map(tuple, rows)), tuple(bad), place, spare)

    def _numbered(self) -> Iterator[tuple[int, Item]]:
        """The samples with their places in the stream: first those that waited, then the ones not read before."""
        again = iter(self._place.waiting)
        number = self._place.taken
        for items in self._loader:
            for item in items:
                place = next(again, None)
                if place is None:
                    place, number = number, number + 1
                yield place, item


def stage_steps(
    recipe: Recipe,
    stage: StageConfig,
    sources: Mapping[str, DataSource],
    assembler: Assembler,
    *,
    cached: Assembler | None = None,
    workers: int | None = None,
    start: int = 0,
    place: Place | None = None,
    rank: int = 0,
) -> Steps:
    """The steps of a stage as its recipe has them, this process' part.

    Args:
        assembler: the model's.
        cached: in its place one that reads or fills a cache, which holds only what the stage draws.
        workers: processes that read; None as the recipe says.
        start, place, rank: see `Steps`.
    """

    def dataset(assembler: Assembler) -> StageDataset:
        return StageDataset(
            sources,
            assembler,
            seed=recipe.seed,
            condition_drop=stage.condition_drop,
            first_sentence=stage.first_sentence,
            longest=stage.row_tokens,
            bad_records=recipe.run.bad_records,
        )

    return Steps(
        stage,
        Mixture(sample_ratios(stage, dataset(assembler)), stage.data, stage.batch_size),
        dataset(cached or assembler),
        cached or assembler,
        workers=recipe.run.workers if workers is None else workers,
        start=start,
        place=place,
        rank=rank,
        world=recipe.run.processes,
        complete=recipe.run.strategy == "fsdp",
    )


def _spare_samples(stage: StageConfig, dataset: StageDataset) -> list[Assembled]:
    """Samples of the stage that together pass through every part that any of its samples passes through."""
    found: list[Assembled] = []
    for task, shares in stage.data.items():
        for name, share in shares.items():
            if stage.mixture.get(task) and share.weight:
                sample, _ = dataset[Draw(task, name, 0)]
                if not found or not _parts_of(sample) <= set().union(*map(_parts_of, found)):
                    found.append(sample)
    return found


def _missing(row: Sequence[Assembled], spare: Sequence[Assembled]) -> list[Assembled]:
    passed = set().union(*map(_parts_of, row))
    chosen = []
    for sample in spare:
        if not _parts_of(sample) <= passed:
            chosen.append(sample)
            passed |= _parts_of(sample)
    return chosen


def _parts_of(sample: Assembled) -> set[str]:
    """Which routes a sample's inputs take, and whether it has a picture to draw."""
    return {f"route {route}" for route, _ in sample.given} | ({"picture"} if sample.targets else set())
