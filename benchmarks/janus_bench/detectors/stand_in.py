"""A detector and a colour classifier for tests: plain shapes on a plain ground. Their numbers must not be reported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from janus_bench.detectors.interface import Detection

if TYPE_CHECKING:
    from PIL.Image import Image

STAND_IN = "judged by a stand-in that knows only plain shapes on a plain ground"
SHAPES = ((0.62, "kite"), (0.88, "sports ball"), (1.01, "book"))
"""A shape is told by how much of its box it fills: a triangle half, a disc pi / 4, a rectangle all."""
DIFFERENT = 40
"""Sum of the differences of the three channels from which a pixel is not ground."""
SMALLEST = 20
"""Pixels."""
PALETTE = {
    "red": (220, 30, 30),
    "orange": (250, 140, 20),
    "yellow": (245, 225, 40),
    "green": (40, 160, 60),
    "blue": (40, 80, 220),
    "purple": (130, 50, 170),
    "pink": (250, 150, 190),
    "brown": (130, 80, 40),
    "black": (15, 15, 15),
    "white": (245, 245, 245),
}


class ShapeDetector:
    """Connected areas unlike the upper left pixel: a disc is a sports ball, a rectangle a book, others a kite."""

    id = "stand-in-shapes-1"
    stand_in = STAND_IN

    def detect(self, image: Image) -> list[Detection]:
        """The shapes; how certain they are is how much of their box they fill, not below 0.91."""
        import numpy as np

        pixels = np.asarray(image, dtype=np.int32)
        found = []
        for rows, columns in _areas(np.abs(pixels - pixels[0, 0]).sum(-1) > DIFFERENT):
            box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            filled = len(rows) / float((box[2] - box[0]) * (box[3] - box[1]))
            label = next(name for most, name in SHAPES if filled < most)
            mask = np.zeros(pixels.shape[:2], bool)
            mask[rows, columns] = True
            left, top, right, bottom = map(float, box)
            found.append(Detection(label, (left, top, right, bottom), 0.91 + 0.08 * filled, mask=mask))
        return found


class NearestColour:
    """The colour of `PALETTE` that is nearest to the mean of an object's pixels."""

    id = "stand-in-colours-1"
    stand_in = STAND_IN

    def classify(self, image: Image, objects: Sequence[Detection]) -> list[str]:
        """One of the ten colours for each object; its mask must be there."""
        import numpy as np

        pixels = np.asarray(image, dtype=np.float64)
        means = [pixels[each.mask].mean(0) for each in objects]
        return [min(PALETTE, key=lambda name: float(np.abs(mean - PALETTE[name]).sum())) for mean in means]


def _areas(different: Any) -> list[tuple[Any, Any]]:
    """Rows and columns of each connected area (4 neighbours) of a bool array [height, width]."""
    import numpy as np

    left = different.copy()
    areas = []
    for start in np.argwhere(different).tolist():
        if not left[tuple(start)]:
            continue
        stack, area = [tuple(start)], []
        left[tuple(start)] = False
        while stack:
            row, column = stack.pop()
            area.append((row, column))
            for near in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
                if 0 <= near[0] < left.shape[0] and 0 <= near[1] < left.shape[1] and left[near]:
                    left[near] = False
                    stack.append(near)
        if len(area) >= SMALLEST:
            rows, columns = np.array(area).T
            areas.append((rows, columns))
    return areas
