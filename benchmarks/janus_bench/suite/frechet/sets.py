"""Finds the two sets of a Fréchet distance: folders of pictures, features or statistics."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from janus_bench.features.extractors import WIDTHS, extractor
from janus_bench.features.interface import FeatureExtractor
from janus_bench.features.pictures import features_of, pictures_of
from janus_bench.features.statistics import FeatureSet, read
from janus_bench.suite.frechet.options import FrechetOptions
from janus_core.errors import UserError

KEYED = re.compile(r"(.+\.npz):([^/:]+)")
STORED = ("features.npz", "statistics.npz")
Role = Literal["real", "fake"]
UNKNOWN = "unknown"


class Sets:
    """Reads sets under one protocol; a network is built when the first folder of pictures needs it.

    Args:
        preparation: of the protocol.
        subfolders: in a folder of ``--data`` the reference pictures lie in the first of these that is there.
    """

    def __init__(
        self,
        options: FrechetOptions,
        preparation: str,
        subfolders: tuple[str, ...] = (),
        progress: Callable[[Iterable[Any], str], Iterable[Any]] | None = None,
    ) -> None:
        self.options, self.preparation, self.subfolders, self.progress = options, preparation, subfolders, progress
        self.built: FeatureExtractor | None = None
        self.warnings: list[str] = []
        self.stand_in = ""

    def read(self, path: Path, role: Role) -> FeatureSet:
        """A set of ``folder``, ``file.npz``, ``file.npz:key`` or ``file.npy``.

        Raises:
            UserError: there is none, or it was made with another network or preparation than asked.
        """
        keyed = KEYED.fullmatch(str(path))
        if keyed and not path.exists():
            return self._named(read(Path(keyed[1]), keyed[2], role))
        if path.is_dir():
            stored = next((path / name for name in STORED if (path / name).is_file()), None)
            return self._named(read(stored, None, role)) if stored else self._extracted(path)
        if path.suffix not in (".npz", ".npy"):
            raise UserError(f"{path} is no folder and no .npz", "a folder of pictures, features.npz or statistics.npz")
        return self._named(read(path, None, role))

    def network(self) -> FeatureExtractor:
        """The extractor, built once."""
        if self.built is None:
            name = self.options.extractor or "inception-2015"
            self.built = extractor(name, self.preparation, self.options.weights, self.options.device)
            self.stand_in = self.stand_in or self.built.stand_in
        return self.built

    def pictures(self, folder: Path) -> dict[str, Path]:
        """The pictures of a folder, or of its subfolder for them."""
        inner = next((folder / name for name in self.subfolders if (folder / name).is_dir()), folder)
        return pictures_of(inner, self.preparation)

    def _extracted(self, folder: Path) -> FeatureSet:
        return features_of(self.pictures(folder), self.network(), str(folder), self.progress)

    def _named(self, found: FeatureSet) -> FeatureSet:
        """With its extractor and preparation: what the file states, else what the options and the protocol say."""
        asked = self.options.extractor
        if found.extractor and asked and found.extractor != asked:
            raise UserError(f"{found.source} holds features of {found.extractor}, not of {asked}", "drop extractor=")
        if found.preprocess and not found.preprocess.startswith(f"{self.preparation}-"):
            raise UserError(
                f"{found.source} was prepared as {found.preprocess}, the protocol prepares as {self.preparation}",
                "choose its protocol, or make the features again",
            )
        if found.extractor:
            self.stand_in = self.stand_in or ("the features are pixels" if found.extractor == "pixels" else "")
            return found
        if asked and found.width != WIDTHS[asked]:
            self.warnings.append(f"{asked} gives features of width {WIDTHS[asked]}, {found.source} has {found.width}")
        if asked:
            self.warnings.append(f"{found.source} does not say how it was made: taken as {asked}, {self.preparation}")
            return replace(found, extractor=asked)
        self.warnings.append(
            f"{found.source} does not say which network made it, nor how pictures were prepared; "
            "name the network with --set extractor=NAME"
        )
        self.stand_in = "it is not known which network made the features"
        return found
