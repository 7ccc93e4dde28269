"""The loader of a stage: draws -> samples -> assembled -> packed; bad records are counted and passed over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from torch.utils.data import DataLoader, Dataset, Sampler

from janus_core.data.mixture import Draw, SamplePlan, keyed_uniform, sample_index
from janus_core.errors import UserError
from janus_core.interfaces import BadRecord, DataSource, Transform
from janus_core.sequence.assemble import Assembled, Assembler
from janus_core.sequence.pack import Batch, pack


@dataclass(slots=True)
class Loaded:
    """A packed batch, and the bad records met while making it: ``source: place: reason``."""

    batch: Batch
    bad: tuple[str, ...]


Item = tuple[Assembled, tuple[str, ...]]
"""A sample, and the bad records met while looking for it."""


class StageDataset(Dataset[Item]):
    """Assembled samples by draw.

    Args:
        sources: by name; none may be empty.
        seed: keys the order of samples and the dropping of conditions.
        condition_drop: fraction of drawings whose prompt is dropped.
        bad_records: how many tries in a row may fail before the source is given up.
    """

    def __init__(
        self,
        sources: Mapping[str, DataSource],
        assembler: Assembler,
        *,
        seed: int,
        condition_drop: float,
        bad_records: int,
    ) -> None:
        for name, source in sources.items():
            if not len(source):
                raise UserError(f"source {name!r} holds no samples", "check its path and its file")
        self._sources, self._assembler = dict(sources), assembler
        self._seed, self._condition_drop, self._bad_records = seed, condition_drop, bad_records

    def __getitems__(self, draws: Sequence[Draw]) -> Sequence[Item | UserError]:
        """The samples of a batch, or in their place the error that ends it."""
        try:
            return [self[draw] for draw in draws]
        except UserError as error:
            return [error]

    def __getitem__(self, draw: Draw) -> Item:
        source = self._sources[draw.source]
        index = sample_index(self._seed, draw.source, draw.number, len(source))
        drop = draw.task == "generation" and (
            keyed_uniform("condition", self._seed, draw.source, draw.number) < self._condition_drop
        )
        bad: list[str] = []
        # A bad record's place is taken by the next record in the file: the order stays a function of the draw.
        for offset in range(min(len(source), self._bad_records + 1)):
            try:
                sample = source[(index + offset) % len(source)]
                return self._assembler.sample(sample, drop_condition=drop), tuple(bad)
            except BadRecord as error:
                bad.append(f"{draw.source}: {error}")
        raise UserError(
            f"source {draw.source!r}: {len(bad)} records in a row are unusable; the first: {bad[0]}",
            "mend the records, or raise run.bad_records",
        )


class StageLoader(DataLoader[Loaded]):
    """Raises in this process what a reader found wrong: a worker's own exception would come with its traceback."""

    def __iter__(self) -> Iterator[Loaded]:  # type: ignore[override]
        for loaded in super().__iter__():
            if isinstance(loaded, UserError):
                raise loaded
            yield loaded


def stage_loader(dataset: StageDataset, plan: SamplePlan, assembler: Assembler, *, workers: int) -> DataLoader[Loaded]:
    """The loader of a stage."""
    transforms = {route: item.transform for route, item in assembler.routes.items()}
    return StageLoader(
        cast(Dataset[Loaded], dataset),  # what the loader gives is what the collation makes of the items
        batch_sampler=cast(Sampler[list[int]], plan),  # any sized iterable of lists of keys serves
        collate_fn=partial(_collate, transforms=transforms, target=assembler.target_transform),
        num_workers=workers,
        persistent_workers=workers > 0,
    )


def _collate(
    items: Sequence[Item | UserError],
    *,
    transforms: Mapping[str, Transform],
    target: Transform | None,
) -> Loaded | UserError:
    failed = next((item for item in items if isinstance(item, UserError)), None)
    if failed is not None:
        return failed
    items = cast(Sequence[Item], items)
    bad = tuple(text for _, texts in items for text in texts)
    return Loaded(pack([sample for sample, _ in items], transforms, target), bad)
