"""The extractors by name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from janus_bench.features.interface import FeatureExtractor
from janus_core.errors import UserError

Name = Literal["inception-2015", "effnet-lite0", "pixels"]
WIDTHS: dict[Name, int] = {"inception-2015": 2048, "effnet-lite0": 1280, "pixels": 48}


def extractor(name: Name, preparation: str, weights: Path | None, device: str) -> FeatureExtractor:
    """Build an extractor.

    Raises:
        UserError: its weights are not given or not there.
    """
    if name == "pixels":
        from janus_bench.features.stand_in import PixelFeatures

        return PixelFeatures(preparation)
    if name == "effnet-lite0":
        from janus_bench.features.effnet_lite0 import EffNetLite0Features

        return EffNetLite0Features(preparation, device)
    if weights is None:
        raise UserError(
            "inception-2015 needs its weights",
            "--set weights=FILE (pytorch-fid's or clean-fid's Inception), or --set extractor=effnet-lite0",
        )
    from janus_bench.features.inception import InceptionFeatures

    return InceptionFeatures(weights, preparation, device)
