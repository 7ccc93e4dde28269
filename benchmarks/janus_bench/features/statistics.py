"""Sets of features and their statistics as files, with what made them; unlike ones are never compared."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from janus_bench.features.distance import Array, moments
from janus_core.errors import UserError


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """The features of a set of pictures, or only their statistics.

    Attributes:
        mean: [D].
        covariance: [D, D], unbiased.
        features: [N, D], or None where only statistics are known.
        number: N; None: not stated.
        extractor: id of the network; empty: not stated.
        preprocess: how the pictures were prepared; empty: not stated.
        weights: fingerprint of the network's weights; empty: not stated.
        names: of the pictures, in the order of the rows; empty: not stated.
        source: where it was read.
    """

    mean: Array
    covariance: Array
    features: Array | None = None
    number: int | None = None
    extractor: str = ""
    preprocess: str = ""
    weights: str = ""
    names: Sequence[str] = field(default_factory=tuple)
    source: str = ""

    @property
    def width(self) -> int:
        """D."""
        return len(self.mean)

    def save(self, path: Path) -> None:
        """Write ``.npz``: ``mu``, ``sigma``, ``n``, ``extractor``, ``preprocess``, ``weights``; and the features."""
        more: dict[str, Any] = {}
        if self.features is not None:
            small = self.features.astype(np.float32)
            exact = bool((small == self.features).all())
            more = {"features": small if exact else self.features, "names": np.array(self.names, dtype=str)}
        more |= {name: np.array(getattr(self, name)) for name in ("extractor", "preprocess", "weights")}
        more |= {"n": np.array(-1 if self.number is None else self.number)}
        np.savez(path, allow_pickle=False, mu=self.mean, sigma=self.covariance, **more)


def of_features(features: Array, source: str, **facts: Any) -> FeatureSet:
    """The set of features [N, D].

    Raises:
        UserError: fewer than two rows, or numbers that are not finite; rows are named.
    """
    if features.ndim != 2 or len(features) < 2:
        raise UserError(f"{source}: features of shape {features.shape}", "at least two rows, one a picture")
    features = np.asarray(features, dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(features).all(1))
    if len(bad):
        rows = ", ".join(map(str, bad[:5].tolist()))
        raise UserError(f"{source}: {len(bad)} rows are not finite: {rows}", "make those features again")
    return FeatureSet(*moments(features), features, len(features), source=source, **facts)


def read(path: Path, key: str | None, role: str) -> FeatureSet:
    """A set in ``.npz`` (features, or pytorch-fid's and clean-fid's ``mu`` and ``sigma``) or ``.npy`` (features).

    Args:
        key: which array of the file; None: the statistics, the only one with two axes, ``features``, or ``role``.
        role: ``real`` or ``fake``.

    Raises:
        UserError: the file is malformed, or holds no such array.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        arrays = {"features": loaded} if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read: {error}", "a .npz or .npy of numpy") from None
    facts = {name: str(arrays[name]) for name in ("extractor", "preprocess", "weights") if name in arrays}
    names = tuple(map(str, arrays["names"].tolist())) if "names" in arrays else ()
    chosen = _chosen(path, arrays, key, role)
    if chosen is not None:
        found = of_features(_numbers(arrays[chosen], f"{path}:{chosen}"), f"{path}:{chosen}", **facts)
        if names and len(names) != found.number:
            raise UserError(f"{path} has {len(names)} names for {found.number} rows", "write it again")
        return replace(found, names=names)
    mean, covariance = (_numbers(arrays[name], f"{path}:{name}") for name in ("mu", "sigma"))
    if mean.ndim != 1 or covariance.shape != (len(mean),) * 2:
        raise UserError(f"{path}: mu {mean.shape} and sigma {covariance.shape} do not fit", "mu [D], sigma [D, D]")
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all() and np.allclose(covariance, covariance.T)):
        raise UserError(f"{path}: mu or sigma is not finite, or sigma not symmetric", "make the statistics again")
    number = int(arrays["n"]) if "n" in arrays and int(arrays["n"]) > 0 else None
    return FeatureSet(mean, covariance, None, number, source=str(path), **facts)


def _chosen(path: Path, arrays: dict[str, Any], key: str | None, role: str) -> str | None:
    """The array of features to take; None: the statistics."""
    tables = [name for name, array in arrays.items() if array.ndim == 2 and name != "sigma"]
    if key is not None:
        if key not in tables:
            raise UserError(f"{path} holds no features {key!r}", f"one of {', '.join(tables) or 'none'}")
        return key
    for name in ("features", role):
        if name in tables:
            return name
    if "mu" in arrays and "sigma" in arrays:
        return None
    if len(tables) == 1:
        return tables[0]
    raise UserError(f"{path} holds {', '.join(arrays) or 'nothing'}", f"name one of its arrays: {path}:NAME")


def _numbers(array: Any, place: str) -> Array:
    if array.dtype.kind not in "fiu":
        raise UserError(f"{place} holds {array.dtype}, not numbers", "write it again")
    return np.asarray(array, dtype=np.float64)


def check_alike(one: FeatureSet, other: FeatureSet) -> None:
    """Refuse to compare features of two networks, preparations, weights or widths.

    Raises:
        UserError: they differ in what both state.
    """
    for name in ("width", "extractor", "preprocess", "weights"):
        mine, its = getattr(one, name), getattr(other, name)
        if mine != its and mine and its:
            raise UserError(
                f"{one.source} has {name} {mine} and {other.source} has {its}: no distance is defined between them",
                "make both with one extractor and one preparation",
            )
