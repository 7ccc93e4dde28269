"""Draws -> samples -> assembled; bad records are counted and passed over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import cast

from torch.utils.data import DataLoader, Dataset, Sampler

from janus_core.data.mixture import Draw, keyed_uniform, sample_index
from janus_core.errors import UserError
from janus_core.interfaces import BadRecord, DataSource, Given, Sample, Target
from janus_core.sequence.assemble import Assembled, Assembler

Item = tuple[Assembled, tuple[str, ...]]
"""A sample, and the bad records met while looking for it: ``source: place: reason``."""


class StageDataset(Dataset[Item]):
    """Assembled samples by draw.

    Args:
        sources: by name; none may be empty.
        seed: keys the order of samples and all that is done to them by chance.
        condition_drop: fraction of drawings whose prompt is dropped.
        first_sentence: fraction of drawings whose prompt is cut after its first sentence.
        longest: samples of more tokens are bad records; None for no limit.
        bad_records: how many tries in a row may fail before the source is given up.
    """

    def __init__(
        self,
        sources: Mapping[str, DataSource],
        assembler: Assembler,
        *,
        seed: int,
        condition_drop: float = 0.0,
        first_sentence: float = 0.0,
        longest: int | None = None,
        bad_records: int = 0,
    ) -> None:
        for name, source in sources.items():
            if not len(source):
                raise UserError(f"source {name!r} holds no samples", "check its path and its file")
        self._sources, self._assembler = dict(sources), assembler
        self._seed, self._condition_drop, self._first_sentence = seed, condition_drop, first_sentence
        self._longest, self._bad_records = longest, bad_records

    def __getitems__(self, draws: Sequence[Draw]) -> Sequence[Item | UserError]:
        """The samples of a batch, or in their place the error that ends it."""
        try:
            return [self[draw] for draw in draws]
        except UserError as error:
            return [error]

    def __getitem__(self, draw: Draw) -> Item:
        source = self._sources[draw.source]
        index = sample_index(self._seed, draw.source, draw.number, len(source))
        drop, cut = (
            draw.task == "generation" and keyed_uniform(name, self._seed, draw.source, draw.number) < fraction
            for name, fraction in (("condition", self._condition_drop), ("first sentence", self._first_sentence))
        )
        bad: list[str] = []
        # A bad record's place is taken by the next record in the file: the order stays a function of the draw.
        for offset in range(min(len(source), self._bad_records + 1)):
            try:
                sample = source[(index + offset) % len(source)]
                assembled = self._assembler.sample(first_sentence(sample) if cut else sample, drop_condition=drop)
                if self._longest is not None and len(assembled.ids) > self._longest:
                    reason = f"{len(assembled.ids)} tokens are more than a row of {self._longest} holds (row_tokens)"
                    raise BadRecord(sample.id, reason)
                return assembled, tuple(bad)
            except BadRecord as error:
                bad.append(f"{draw.source}: {error}")
        raise UserError(
            f"source {draw.source!r}: {len(bad)} records in a row are unusable; the first: {bad[0]}",
            "mend the records, or raise run.bad_records",
        )


def first_sentence(sample: Sample) -> Sample:
    """The sample with each of its texts cut after the first sentence."""

    def cut(part: str | Given | Target) -> str | Given | Target:
        return re.split(r"(?<=[.!?])\s", part.strip(), maxsplit=1)[0] if isinstance(part, str) else part

    messages = tuple(replace(m, parts=tuple(cut(part) for part in m.parts)) for m in sample.messages)
    return replace(sample, messages=messages)


class SampleLoader(Iterable[list[Item]]):
    """The samples of a plan, list by list, read by ``workers`` processes.

    Raises in this process what a reader found wrong: a worker's own exception would come with its traceback.
    """

    def __init__(self, dataset: StageDataset, plan: Iterable[list[Draw]], *, workers: int) -> None:
        self._loader: DataLoader[Item] = DataLoader(
            dataset,
            batch_sampler=cast(Sampler[list[int]], plan),  # any iterable of lists of keys serves
            collate_fn=list,
            num_workers=workers,
            persistent_workers=workers > 0,
        )

    def __iter__(self) -> Iterator[list[Item]]:
        for items in cast(Iterable[list[Item | UserError]], self._loader):
            for item in items:
                if isinstance(item, UserError):
                    raise item
            yield cast(list[Item], items)
