"""Scores of a set of drawings against a reference set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from janus_bench.features import distance
from janus_bench.features.statistics import FeatureSet, check_alike
from janus_bench.suite.frechet.options import FrechetOptions
from janus_bench.suite.frechet.sets import UNKNOWN
from janus_core.scores import Score, ScoreCard

Rows = Mapping[str, NDArray[np.intp]]
"""Category -> rows."""


def compare(
    card: ScoreCard, real: FeatureSet, fake: FeatureSet, options: FrechetOptions, categories: tuple[Rows, Rows]
) -> None:
    """Add FID (the first score), FID by category and KID, with the details and warnings.

    Args:
        categories: rows by category of both sets; empty where there are none.

    Raises:
        UserError: the sets were not made alike.
    """
    check_alike(real, fake)
    name = fake.extractor or real.extractor or UNKNOWN
    total = fake.number or 0
    overall = distance.frechet(real.mean, real.covariance, fake.mean, fake.covariance)
    card.scores.append(Score(f"FID[{name}]", overall, total, unit="distance", task="generation"))
    card.details |= {"fid": overall, "n": {"real": real.number, "fake": fake.number}, "width": real.width}
    facts = {key: [getattr(real, key), getattr(fake, key)] for key in ("extractor", "preprocess", "weights", "source")}
    card.settings |= {key: {"real": mine, "fake": its} for key, (mine, its) in facts.items()}
    _say_of_size(card, real, fake)
    if real.features is not None and fake.features is not None:
        _categories(card, name, real.features, fake.features, categories)
        _kernel(card, name, real.features, fake.features, options)
    elif categories[1]:
        card.warnings.append("no FID by category: it needs the features of both sets, not only statistics")
    if fake.features is not None:
        card.details["spread"] = distance.jackknife((real.mean, real.covariance), fake.features, options.spread_groups)


def _say_of_size(card: ScoreCard, real: FeatureSet, fake: FeatureSet) -> None:
    sizes = {"real": real.number, "fake": fake.number}
    few = [f"{role} {number}" for role, number in sizes.items() if number is not None and number <= real.width]
    unknown = [each.source for each in (real, fake) if each.number is None]
    if few:
        card.warnings.append(
            f"fewer pictures than features (N {', '.join(few)}; D {real.width}): the covariance is singular and FID is "
            "too high; compare only numbers of equal N"
        )
    if unknown:
        card.warnings.append(f"the number of pictures is not stated in {', '.join(unknown)}")


def _categories(
    card: ScoreCard, name: str, real: distance.Array, fake: distance.Array, categories: tuple[Rows, Rows]
) -> None:
    values: dict[str, float] = {}
    short: list[str] = []
    for category in sorted(categories[1]):
        mine, its = categories[0].get(category, np.array([], int)), categories[1][category]
        if min(len(mine), len(its)) < 2:
            short.append(f"{category} ({len(mine)} real, {len(its)} fake)")
            continue
        values[category] = distance.frechet_of(real[mine], fake[its])
        card.scores.append(
            Score(f"{category}: FID[{name}]", values[category], len(its), unit="distance", task="generation")
        )
    if short:
        card.warnings.append(f"no FID for categories with fewer than two pictures on a side: {', '.join(short)}")
    if values:
        card.details["per_category"] = values
        card.details["mean_of_category_fids_is_NOT_overall"] = sum(values.values()) / len(values)
        if min(len(categories[1][category]) for category in values) <= real.shape[1]:
            card.warnings.append("categories have fewer pictures than features: their FID is too high")


def _kernel(card: ScoreCard, name: str, real: distance.Array, fake: distance.Array, options: FrechetOptions) -> None:
    values = distance.kernel_distances(real, fake, options.kid_subsets, options.kid_subset_size, options.kid_seed)
    mean = float(values.mean())
    card.scores.append(Score(f"KID[{name}]", mean, len(fake), unit="distance", task="generation"))
    kid: dict[str, Any] = {
        "mean": mean,
        "std_over_subsets": float(values.std()),
        "subsets": len(values),
        "subset_size": min(len(real), len(fake), options.kid_subset_size),
        "seed": options.kid_seed,
    }
    if max(len(real), len(fake)) <= distance.FULL:
        kid["whole_sets"] = distance.kernel_distance(real, fake)
    card.details["kid"] = kid


def by_category(names: Sequence[str]) -> dict[str, NDArray[np.intp]]:
    """Rows by category of the category of each row ("": none)."""
    found: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        if name:
            found.setdefault(name, []).append(row)
    return {name: np.array(rows) for name, rows in found.items()}
