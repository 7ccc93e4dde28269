"""Distances between two sets of features: Fréchet and kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
FULL = 5000
"""Rows up to which the kernel distance of whole sets is computed."""


def frechet(
    mean: Array, covariance: Array, other_mean: Array, other_covariance: Array, root: Array | None = None
) -> float:
    """Squared Fréchet distance of two Gaussians: |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)).

    The trace of the root is the sum of the roots of the eigenvalues of S1 S2, which are those of the symmetric R S2 R^T
    with S1 = R^T R. So nothing becomes complex or is dropped, and singular matrices need no offset. For equal sets the
    result may be a little below 0.

    Args:
        root: ``factor(covariance)``, where it is used more than once.
    """
    offset = mean - other_mean
    root = factor(covariance) if root is None else root
    shared = np.sqrt(np.clip(np.linalg.eigvalsh(root @ other_covariance @ root.T), 0, None)).sum()
    return float(offset @ offset + np.trace(covariance) + np.trace(other_covariance) - 2 * shared)


def factor(covariance: Array) -> Array:
    """R with R^T R = S; what is negative by rounding is 0."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(np.sqrt(np.clip(values, 0, None))[:, None] * vectors.T)


def frechet_of(features: Array, other: Array) -> float:
    """Squared Fréchet distance of two sets of features [N, D], [M, D]; unbiased covariances."""
    return frechet(*moments(features), *moments(other))


def moments(features: Array) -> tuple[Array, Array]:
    """Mean [D] and unbiased covariance [D, D] of [N, D]."""
    return features.mean(0), np.atleast_2d(np.cov(features, rowvar=False))


def kernel_distances(reference: Array, drawn: Array, subsets: int, size: int, seed: int) -> Array:
    """Unbiased polynomial MMD^2 of random subsets, [subsets]; their mean is KID.

    The subsets are those that clean-fid takes after ``np.random.seed(seed)``, the drawn pictures first.
    """
    generator = np.random.RandomState(seed)
    size = min(len(reference), len(drawn), size)
    values = []
    for _ in range(subsets):
        one = drawn[generator.choice(len(drawn), size, replace=False)]
        other = reference[generator.choice(len(reference), size, replace=False)]
        values.append(kernel_distance(one, other))
    return np.array(values)


def kernel_distance(one: Array, other: Array) -> float:
    """Unbiased MMD^2 with the kernel (x y / D + 1)^3 of [N, D] and [M, D]; N, M >= 2."""
    across = _kernel(one, other).mean()
    return float(_within(one) + _within(other) - 2 * across)


def _within(features: Array) -> float:
    values, number = _kernel(features, features), len(features)
    return float((values.sum() - np.trace(values)) / (number * (number - 1)))


def _kernel(one: Array, other: Array) -> Array:
    return np.asarray((one @ other.T / one.shape[1] + 1) ** 3)


def jackknife(reference: tuple[Array, Array], drawn: Array, groups: int) -> dict[str, Any] | None:
    """Spread of the Fréchet distance over the drawn pictures, by leaving out one of ``groups`` groups at a time.

    FID falls as pictures are added, so the values themselves lie above that of all pictures; only their spread is used:
    sqrt((g - 1) / g * sum of squares about their mean). None with fewer than two pictures a group.
    """
    if groups < 2 or len(drawn) < 2 * groups:
        return None
    rows = np.arange(len(drawn)) % groups
    root = factor(reference[1])
    values = np.array([frechet(*reference, *moments(drawn[rows != group]), root) for group in range(groups)])
    deviation = float(np.sqrt((groups - 1) / groups * ((values - values.mean()) ** 2).sum()))
    return {"method": "delete-a-group jackknife over the drawn pictures", "groups": groups, "standard_error": deviation}
