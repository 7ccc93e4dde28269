"""A benchmark whose score is the distance of a set of drawings to a reference set."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from janus_bench.features.statistics import FeatureSet
from janus_bench.suite.drawing import draw
from janus_bench.suite.frechet.compare import Rows, by_category, compare
from janus_bench.suite.frechet.options import FrechetOptions
from janus_bench.suite.frechet.protocols import PREPARATIONS
from janus_bench.suite.frechet.sets import Sets
from janus_bench.suite.reading import named
from janus_core.errors import UserError
from janus_core.hookspecs import BenchmarkSpec
from janus_core.interfaces import BenchmarkWork
from janus_core.scores import Score, ScoreCard, ScoredItem

WHOLE = 30000
"""Pictures of both benchmarks."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture that is asked: its id, its prompt and its category ("": none)."""

    id: str
    prompt: str
    category: str = ""


class FrechetBenchmark(ABC):
    """Draws prompts and compares the drawings with a reference set.

    No item has a score of its own, and the features of 30,000 pictures are no facts of items: `aggregate` gives only
    what items can (CLIPScore). FID's spread is in ``details["spread"]`` and ``details["kid"]``.
    """

    spec: BenchmarkSpec
    subfolders: tuple[str, ...]

    def __init__(self, options: FrechetOptions) -> None:
        self.options = options

    @abstractmethod
    def asked(self, folder: Path) -> list[Drawing] | None:
        """What a folder of ``--data`` or of predictions says was asked, in order; None if it does not say.

        Raises:
            UserError: it is malformed.
        """

    @abstractmethod
    def write(self, folder: Path, asked: Sequence[Drawing], pictures: Sequence[Path], flat: bool) -> Path:
        """Write drawings in the benchmark's layout; gives the folder to score.

        Args:
            flat: no folders inside, as pytorch-fid needs it.
        """

    @abstractmethod
    def id_of(self, name: str) -> str:
        """The id of a drawing of its path under the folder."""

    def run(self, work: BenchmarkWork) -> ScoreCard:
        """Draw, write the layout, extract features, compare; features of drawings and reference are kept."""
        if work.data is None:
            raise UserError(f"{self.spec.name} needs its files", f"give --data DIR with {self.spec.data}")
        asked = self.asked(work.data)
        if asked is None:
            raise UserError(f"{work.data} does not hold the prompts", f"give --data DIR with {self.spec.data}")
        asked = asked[: work.limit]
        drawn, settings = draw(work, [each.prompt for each in asked], self.options)
        folder = self.write(work.folder, asked, [each.path for each in drawn], work.protocol == "fid-pytorch")
        card = self._compare(work.protocol, folder, work.data, asked, work.progress, keep=work.folder)
        card.settings |= settings
        return card

    def score(self, protocol: str, predictions: Path, annotations: Path | None) -> ScoreCard:
        """Compare two sets: folders of pictures, ``.npz`` of features (``file.npz:key``) or of statistics."""
        if annotations is None:
            raise UserError("FID compares with a reference set", "give --annotations: a folder, or a .npz")
        folders = (each if each.is_dir() else each.parent for each in (predictions, annotations))
        places = [self.options.categories, *folders]
        asked = next((found for each in places if each is not None and (found := self.asked(each))), None)
        return self._compare(protocol, predictions, annotations, asked)

    def aggregate(self, protocol: str, items: Sequence[ScoredItem]) -> Mapping[str, float]:
        """CLIPScore, where it was asked for; a Fréchet distance cannot be computed from items."""
        by_name: dict[str, list[float]] = {}
        for item in items:
            for name, value in item.facts.get("scores", {}).items():
                by_name.setdefault(name, []).append(value)
        return {name: max(sum(values) / len(values), 0.0) for name, values in by_name.items()}

    def _compare(
        self,
        protocol: str,
        predictions: Path,
        annotations: Path,
        asked: Sequence[Drawing] | None,
        progress: Callable[[Iterable[Any], str], Iterable[Any]] | None = None,
        keep: Path | None = None,
    ) -> ScoreCard:
        version = next(each.version for each in self.spec.protocols if each.name == protocol)
        card = ScoreCard(self.spec.name, f"{self.spec.name}@{protocol}", version, [])
        sets = Sets(self.options, PREPARATIONS[protocol], self.subfolders, progress)
        real, fake = sets.read(annotations, "real"), sets.read(predictions, "fake")
        if keep is not None:
            fake.save(keep / "features.npz")
            replace(real, features=None).save(keep / "reference_statistics.npz")
        compare(card, real, fake, self.options, self._rows(card, real, fake, asked))
        self._items(card, fake, asked)
        self._extras(card, sets, predictions, asked)
        if fake.number is not None and fake.number != WHOLE:
            card.warnings.append(f"FID of {fake.number} drawings; published numbers are of {WHOLE}")
        card.warnings += sets.warnings
        card.stand_in = sets.stand_in
        return card

    def _rows(
        self, card: ScoreCard, real: FeatureSet, fake: FeatureSet, asked: Sequence[Drawing] | None
    ) -> tuple[Rows, Rows]:
        """Rows by category of both sets."""
        known = {each.id: each.category for each in asked or ()}
        if not any(known.values()):
            return {}, {}
        found = []
        for each in (real, fake):
            if each.names:
                found.append(by_category([self._category(name, known) for name in each.names]))
            elif each.number == len(known):
                found.append(by_category(list(known.values())))
            else:
                card.warnings.append(f"no FID by category: {each.source} has {each.number} rows for {len(known)} ids")
                return {}, {}
        return found[0], found[1]

    def _category(self, name: str, known: Mapping[str, str]) -> str:
        """Of the id; of a picture that was not asked, of its folder, as the tools do."""
        folder = Path(name).parent.name
        return known.get(self.id_of(name)) or (folder if folder in known.values() else "")

    def _items(self, card: ScoreCard, fake: FeatureSet, asked: Sequence[Drawing] | None) -> None:
        """An item a drawing, and those that were asked and are not there."""
        ids = [self.id_of(name) for name in fake.names]
        known = {each.id: each for each in asked or ()}
        if not ids and fake.number is not None:
            ids = list(known) if len(known) == fake.number else [f"row {row}" for row in range(fake.number)]
        twice = [each for each, count in Counter(ids).items() if count > 1]
        if twice:
            card.warnings.append(f"more than one picture, all are counted: {named(twice)}")
        rows = {each: row for row, each in enumerate(ids)}
        for each, row in rows.items():
            facts = {"row": row} | ({"category": known[each].category} if each in known else {})
            card.items.append(ScoredItem(each, each, None, facts=facts))
        if not fake.names or not known:
            return
        missing = [each for each in known if each not in rows]
        card.items += [ScoredItem(each, each, None, status="missing") for each in missing]
        if missing:
            card.warnings.append(f"{len(missing)} drawings are missing; FID is of the others: {named(missing)}")
        strange = [each for each in rows if each not in known]
        if strange:
            card.warnings.append(f"drawings that were not asked, counted as the tools do: {named(strange)}")

    def _extras(self, card: ScoreCard, sets: Sets, predictions: Path, asked: Sequence[Drawing] | None) -> None:
        if not (self.options.inception_score or self.options.clip_score):
            return
        if not predictions.is_dir():
            raise UserError("Inception Score and CLIPScore need pictures", "give a folder of them as predictions")
        from janus_bench.suite.frechet import extras

        pictures = sets.pictures(predictions)
        if self.options.inception_score:
            mean, deviation = extras.inception_score(pictures, sets.network(), self.options.kid_seed)
            card.scores.append(Score(f"IS[{sets.network().id}]", mean, len(pictures), unit="points", task="generation"))
            card.details["inception_score"] = {"mean": mean, "std_over_splits": deviation}
        if self.options.clip_score:
            self._clip_score(card, pictures, {each.id: each.prompt for each in asked or ()})

    def _clip_score(self, card: ScoreCard, pictures: Mapping[str, Path], prompts: Mapping[str, str]) -> None:
        from janus_bench.clip import Clip
        from janus_bench.suite.frechet import extras

        if self.options.clip_weights is None:
            raise UserError("CLIPScore needs CLIP's weights", "--set clip_weights=FILE")
        clip = Clip(self.options.clip_model, self.options.clip_weights, self.options.device)
        by_id = {self.id_of(name): path for name, path in pictures.items()}
        values = extras.clip_scores(by_id, prompts, clip)
        name = f"CLIPScore[{self.options.clip_model}]"
        card.items = [
            replace(item, facts={**item.facts, "scores": {name: values[item.id]}}) if item.id in values else item
            for item in card.items
        ]
        mean = self.aggregate("", card.items)[name]
        card.scores.append(Score(name, mean, len(values), unit="points", task="generation"))
        card.settings["clip"] = clip.id


def copy_pictures(pictures: Sequence[Path], targets: Sequence[Path]) -> None:
    """Copy drawings to their places."""
    for path, target in zip(pictures, targets, strict=True):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
