"""What a benchmark asks of a detector and of a colour classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from PIL.Image import Image

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white")
"""GenEval's colours, in the order of its classifier (djghosh13/geneval, evaluate_images.py)."""


@dataclass(frozen=True, slots=True)
class Detection:
    """An object that was found in a picture.

    Attributes:
        label: its class, as GenEval spells it (`janus_bench.detectors.classes.CLASSES`).
        box: left, top, right, bottom in pixels.
        score: confidence in [0, 1].
        colour: one of `COLOURS`; None: nobody has looked.
        mask: bool array [height, width] of the object's pixels, or None.
    """

    label: str
    box: tuple[float, float, float, float]
    score: float
    colour: str | None = None
    mask: Any = None


class Detector(Protocol):
    """Finds objects.

    Attributes:
        id: name, version and weights; it stands beside every number that is judged with it.
        stand_in: why numbers judged with it must not be reported; empty for a real one.
    """

    id: str
    stand_in: str

    def detect(self, image: Image) -> list[Detection]:
        """The objects of an RGB picture, in any order, the weak ones too."""
        ...


class ColourClassifier(Protocol):
    """Names the colours of objects; ``id`` and ``stand_in`` as of a `Detector`."""

    id: str
    stand_in: str

    def classify(self, image: Image, objects: Sequence[Detection]) -> list[str]:
        """One of `COLOURS` for each object of an RGB picture; the objects are of one class."""
        ...
