"""What a distance between sets of pictures asks of the network that looks at them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image


class FeatureExtractor(Protocol):
    """Pictures -> features.

    Attributes:
        id: the network; a part of the name of every score (``FID[inception-2015]``).
        weights: fingerprint of its weights.
        preprocess: how pictures are prepared for it; features of two preparations are not compared.
        width: D, the width of the features.
        stand_in: why numbers must not be reported; empty for a real one.
    """

    id: str
    weights: str
    preprocess: str
    width: int
    stand_in: str

    def __call__(self, images: Sequence[Image]) -> NDArray[np.float64]:
        """Features [N, D] of RGB pictures of any sizes."""
        ...
