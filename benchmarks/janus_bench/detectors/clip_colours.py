"""Colours by CLIP without training, as GenEval asks it (djghosh13/geneval, color_classification)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from janus_bench.detectors.interface import COLOURS, Detection
from janus_bench.weights import fingerprint
from janus_core.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

TEMPLATES = ("a photo of a {colour} {label}", "a photo of a {colour}-colored {label}", "a photo of a {colour} object")
BACKGROUND = "#999"
BATCH = 16


class ClipColours:
    """Compares each object, cut out on grey, with the ten colours in words.

    Args:
        name: open_clip's name of the model (GenEval: ViT-L/14 of OpenAI, which has QuickGELU).
        weights: its file, as open_clip loads it.
        device: where it runs.

    Raises:
        UserError: open_clip cannot load them.
    """

    stand_in = ""

    def __init__(self, name: str, weights: Path, device: str = "cpu") -> None:
        import torch

        self.id = f"clip-{name}-{fingerprint(weights)}"
        self.device = torch.device(device)
        try:
            import open_clip

            made = open_clip.create_model_and_transforms(name, pretrained=str(weights), device=self.device)
            self.tokens = open_clip.get_tokenizer(name)
        except (ImportError, RuntimeError, KeyError, ValueError) as error:
            raise UserError(f"CLIP {name} with {weights} cannot be loaded: {error}", "check name and weights") from None
        self.model, self.transform = made[0].eval(), made[2]
        self.directions: dict[str, Tensor] = {}

    def classify(self, image: Image, objects: Sequence[Detection]) -> list[str]:
        """The nearest of the ten colours for each object."""
        import torch

        found: list[str] = []
        with torch.inference_mode():
            for start in range(0, len(objects), BATCH):
                batch = objects[start : start + BATCH]
                pictures = torch.stack([self.transform(cut_out(image, each)) for each in batch]).to(self.device)
                seen = self.model.encode_image(pictures, normalize=True)
                found += [COLOURS[index] for index in (seen @ self._colours(batch[0].label)).argmax(1).tolist()]
        return found

    def _colours(self, label: str) -> Tensor:
        """float [width, 10]: for each colour the direction of the mean of its sentences."""
        import torch

        if label not in self.directions:
            sentences = [each.format(colour=colour, label=label) for colour in COLOURS for each in TEMPLATES]
            words = self.model.encode_text(self.tokens(sentences).to(self.device), normalize=True)
            means = words.unflatten(0, (len(COLOURS), len(TEMPLATES))).mean(1)
            self.directions[label] = torch.nn.functional.normalize(means, dim=-1).T
        return self.directions[label]


def cut_out(image: Image, found: Detection) -> Image:
    """The object in its box, on grey where its mask ends (without a mask: as it is)."""
    from PIL import Image as images

    if found.mask is not None:
        blank = images.new("RGB", image.size, BACKGROUND)
        image = images.composite(image, blank, images.fromarray(found.mask))
    return image.crop(found.box)
