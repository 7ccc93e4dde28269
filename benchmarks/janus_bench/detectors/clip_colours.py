"""Colours by CLIP without training, as GenEval asks it (djghosh13/geneval, color_classification)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from janus_bench.clip import Clip
from janus_bench.detectors.interface import COLOURS, Detection

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

TEMPLATES = ("a photo of a {colour} {label}", "a photo of a {colour}-colored {label}", "a photo of a {colour} object")
BACKGROUND = "#999"
BATCH = 16


class ClipColours:
    """Compares each object, cut out on grey, with the ten colours in words.

    Args:
        name: open_clip's name of the model (GenEval: ViT-L/14 of OpenAI).
        weights: its file.
        device: where it runs.

    Raises:
        UserError: open_clip cannot load them.
    """

    stand_in = ""

    def __init__(self, name: str, weights: Path, device: str = "cpu") -> None:
        self.clip = Clip(name, weights, device)
        self.id = f"clip-{self.clip.id}"
        self.directions: dict[str, Tensor] = {}

    def classify(self, image: Image, objects: Sequence[Detection]) -> list[str]:
        """The nearest of the ten colours for each object."""
        found: list[str] = []
        for start in range(0, len(objects), BATCH):
            batch = objects[start : start + BATCH]
            seen = self.clip.pictures([cut_out(image, each) for each in batch])
            found += [COLOURS[index] for index in (seen @ self._colours(batch[0].label)).argmax(1).tolist()]
        return found

    def _colours(self, label: str) -> Tensor:
        """float [width, 10]: for each colour the direction of the mean of its sentences."""
        from torch.nn.functional import normalize

        if label not in self.directions:
            sentences = [each.format(colour=colour, label=label) for colour in COLOURS for each in TEMPLATES]
            words = self.clip.sentences(sentences)
            means = words.view(len(COLOURS), len(TEMPLATES), -1).mean(1)
            self.directions[label] = normalize(means, dim=-1).T
        return self.directions[label]


def cut_out(image: Image, found: Detection) -> Image:
    """The object in its box, on grey where its mask ends (without a mask: as it is)."""
    from PIL import Image as images

    if found.mask is not None:
        blank = images.new("RGB", image.size, BACKGROUND)
        image = images.composite(image, blank, images.fromarray(found.mask))
    return image.crop(found.box)
