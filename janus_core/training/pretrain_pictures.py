"""The pictures and captions that a part is trained and measured on alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch.utils.data import DataLoader, Dataset

from janus_core.config.recipe import PretrainRecipe
from janus_core.data.mixture import sample_index
from janus_core.errors import UserError
from janus_core.interfaces import BadRecord, DataSource, Given, Sample, Target, Transform

IN_A_ROW = 100
"""Unusable records in a row after which a source is given up."""


class Pictures(Dataset[tuple[Any, str] | None]):
    """Prepared pictures with captions, in an order keyed by the recipe's seed; every epoch holds each once.

    Args:
        name: the other half of the key.
        length: how many to give.
        replace: give the next usable record in the place of an unusable one; else None is given.
    """

    def __init__(
        self, source: DataSource, transform: Transform, seed: int, name: str, length: int, *, replace: bool
    ) -> None:
        if not len(source):
            raise UserError("the source holds no samples", "check its path and its file")
        self._source, self._transform, self._seed, self._name = source, transform, seed, name
        self._length, self._replace = length, replace

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, number: int) -> tuple[Any, str] | None:
        return self.usable(number) if self._replace else self._get(self._index(number))

    def usable(self, number: int) -> tuple[Any, str]:
        """The picture of this number, or the first usable one after it; `UserError` if there is none near."""
        index = self._index(number)
        for offset in range(IN_A_ROW):
            found = self._get((index + offset) % len(self._source))
            if found is not None:
                return found
        raise UserError(f"{IN_A_ROW} records in a row are unusable; the last: {self._last}", "mend the data")

    def _index(self, number: int) -> int:
        return sample_index(self._seed, self._name, number, len(self._source))

    def _get(self, index: int) -> tuple[Any, str] | None:
        try:
            picture, caption = picture_and_caption(self._source[index])
            return self._transform(picture), caption
        except (ValueError, OSError) as error:  # bad records, and pictures that the transform refuses
            self._last = error
            return None


def picture_and_caption(sample: Sample) -> tuple[Any, str]:
    """The picture of a sample and the words that go with it: the prompt of a drawing, the description of an input."""
    pictures = [part.raw for m in sample.messages for part in m.parts if isinstance(part, Given | Target)]
    said_by = "user" if sample.task == "generation" else "assistant"
    words = [part for m in sample.messages if m.role == said_by for part in m.parts if isinstance(part, str)]
    if not pictures:
        raise BadRecord(sample.id, "holds no picture")
    return pictures[0], " ".join(words)


def training_loader(source: DataSource, transform: Transform, recipe: PretrainRecipe) -> DataLoader[Any]:
    """As many batches as the recipe has steps, all full."""
    length = recipe.steps * recipe.batch_size
    return _loader(Pictures(source, transform, recipe.seed, "train", length, replace=True), transform, recipe)


def held_out_loader(source: DataSource, transform: Transform, recipe: PretrainRecipe, usual: int) -> DataLoader[Any]:
    """Every picture of the source once, at most ``validation_limit`` (``usual`` if that is null); None for no batch."""
    length = min(len(source), recipe.validation_limit or usual)
    return _loader(Pictures(source, transform, recipe.seed, "validation", length, replace=False), transform, recipe)


def _loader(pictures: Pictures, transform: Transform, recipe: PretrainRecipe) -> DataLoader[Any]:
    pictures.usable(0)  # a source without pictures is told before anything is written or trained

    return DataLoader(
        pictures, batch_size=recipe.batch_size, collate_fn=_Collate(transform), num_workers=recipe.run.workers
    )


@dataclass(frozen=True, slots=True)
class _Collate:
    """Usable items -> a batch, or None if there is none; picklable, for readers in other processes."""

    transform: Transform

    def __call__(self, items: Sequence[tuple[Any, str] | None]) -> dict[str, Any] | None:
        found = [item for item in items if item is not None]
        if not found:
            return None
        inputs = self.transform.collate([item for item, _ in found])
        return {"inputs": inputs, "captions": [text for _, text in found]}
