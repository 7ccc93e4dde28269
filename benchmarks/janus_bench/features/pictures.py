"""Reads folders of pictures as the tools of FID read them, and extracts their features."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from janus_bench.features.interface import FeatureExtractor
from janus_bench.features.statistics import FeatureSet, of_features
from janus_bench.opening import open_rgb
from janus_core.errors import UserError

ENDINGS = frozenset({".bmp", ".jpg", ".jpeg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
CLEAN_ONLY = frozenset({".JPEG", ".JPG", ".PNG"})
"""clean-fid takes these too; pytorch-fid takes only those in lower case, and looks only into the folder itself."""
BATCH = 32


def pictures_of(folder: Path, preparation: str) -> dict[str, Path]:
    """Name (path under the folder) -> file, in order; which files, is the tool's choice.

    Raises:
        UserError: the tool finds none.
    """
    top_only = preparation == "pytorch-fid"
    endings = ENDINGS if top_only else ENDINGS | CLEAN_ONLY
    found = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.glob("*") if top_only else folder.rglob("*"))
        if path.suffix in endings and path.is_file()
    }
    if len(found) < 2:
        where = f"{folder} itself (pytorch-fid does not look into folders)" if top_only else str(folder)
        raise UserError(f"{where} holds {len(found)} pictures", f"at least two of {', '.join(sorted(endings))}")
    return found


def features_of(
    pictures: dict[str, Path],
    extractor: FeatureExtractor,
    source: str,
    progress: Callable[[Iterable[Any], str], Iterable[Any]] | None = None,
) -> FeatureSet:
    """The features of all pictures.

    Raises:
        UserError: a file is not a picture.
    """
    import numpy as np

    names = list(pictures)
    starts: Iterable[int] = range(0, len(names), BATCH)
    batches = progress(starts, "features") if progress else starts
    found = [extractor([open_rgb(pictures[name]) for name in names[start : start + BATCH]]) for start in batches]
    facts = {"extractor": extractor.id, "preprocess": extractor.preprocess, "weights": extractor.weights}
    return of_features(np.concatenate(found), source, names=tuple(names), **facts)
