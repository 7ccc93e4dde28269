"""``pixels``: an extractor for tests. Its numbers must not be reported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from janus_bench.features.preprocess import resized

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

SIDE = 4


class PixelFeatures:
    """The pixels of the picture, 4 by 4."""

    id = "pixels"
    weights = ""
    width = 3 * SIDE * SIDE
    stand_in = "the features are pixels: a stand-in for tests"

    def __init__(self, preparation: str) -> None:
        self.preparation, self.preprocess = preparation, f"{preparation}-{SIDE}"

    def __call__(self, images: Sequence[Image]) -> NDArray[np.float64]:
        """Features [N, 48] in [0, 1]."""
        import numpy as np

        pixels = [resized(image, self.preparation, SIDE).flatten().numpy() for image in images]
        return np.stack(pixels).astype(np.float64) / 255
