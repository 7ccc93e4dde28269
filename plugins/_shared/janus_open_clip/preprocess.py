"""PIL picture -> the float tensor that a vision tower takes. Imports torch only when a picture is prepared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from janus_core.interfaces import Prepared
from janus_open_clip.facts import Interpolation, Preprocessing, Resize, Triple

if TYPE_CHECKING:
    from PIL.Image import Image, Resampling
    from torch import Tensor

VERSION = 1
"""Raise it whenever the same fields would give other pixels: it is a part of the digest."""

MIN_SIDE = 14
"""Janus never makes the short side shorter than this before it pads (``min_size`` of its image processor)."""

MAX_ASPECT = 16
"""``shortest`` cuts a longer picture to this aspect ratio first: the rest is cropped away in any case."""


@dataclass(slots=True)
class ImageTransform:
    """Resize to a square, scale to [0, 1], normalise.

    ``squash`` ignores the aspect ratio. ``shortest`` resizes the shorter side and crops the centre, as torchvision's
    Resize and CenterCrop do. ``pad`` is Janus' ``VLMImageProcessor``: the longer side to ``size``, the other to
    ``max(int(side / longer * size), 14)``, then a centred square of the colour ``int(mean * 255)``. All resize PIL
    pictures, so with antialiasing and rounding to 8 bits.

    Attributes:
        size: side S of the square in pixels.
        num_tokens: feature tokens that the encoder makes of it.
        mean: per channel, subtracted from pixels in [0, 1].
        std: per channel, divides them.
        interpolation: kernel of the resize.
        resize: one of the three ways above.
        digest: hash of all of these; the same digest gives the same tensors.
    """

    size: int
    num_tokens: int
    mean: Triple
    std: Triple
    interpolation: Interpolation
    resize: Resize
    digest: str = field(init=False, default="")

    def __post_init__(self) -> None:
        facts = {key: value for key, value in asdict(self).items() if key != "digest"}
        text = json.dumps({"transform": "janus_open_clip", "version": VERSION, **facts}, sort_keys=True)
        self.digest = hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def of(cls, facts: Preprocessing, *, size: int, num_tokens: int, resize: Resize | None = None) -> ImageTransform:
        """The transform of a checkpoint's facts, with another way to resize if one is named."""
        return cls(size, num_tokens, facts.mean, facts.std, facts.interpolation, resize or facts.resize)

    def __call__(self, raw: Any) -> Prepared:
        """A ``PIL.Image`` in mode RGB -> float32 [3, S, S]; `ValueError` if it is something else or empty."""
        import numpy as np
        import torch
        from PIL.Image import Image

        if not isinstance(raw, Image):
            raise ValueError(f"expected a PIL image, got {type(raw).__name__}: open it with PIL.Image.open first")
        if raw.mode != "RGB":
            raise ValueError(
                f"expected a picture in mode RGB, got mode {raw.mode}: lay transparent pictures on white, "
                "then picture.convert('RGB')"
            )
        if 0 in raw.size:
            raise ValueError(f"the picture is empty: {raw.size[0]} x {raw.size[1]} pixels")
        pixels = np.asarray(self.square(raw), dtype=np.float32) / np.float32(255)
        mean, std = np.asarray(self.mean, dtype=np.float32), np.asarray(self.std, dtype=np.float32)
        normalised = np.ascontiguousarray(((pixels - mean) / std).transpose(2, 0, 1), dtype=np.float32)
        return Prepared(torch.from_numpy(normalised), self.num_tokens)

    def collate(self, prepared: Sequence[Prepared]) -> Tensor:
        """[3, S, S] each -> [B, 3, S, S]."""
        import torch

        return torch.stack([item.inputs for item in prepared])

    def square(self, image: Image) -> Image:
        """The picture as the S x S pixels that are then normalised."""
        if self.resize == "squash":
            return image.resize((self.size, self.size), self._kernel())
        if self.resize == "shortest":
            return self._shortest(image)
        return self._pad(image)

    def _kernel(self) -> Resampling:
        from PIL.Image import Resampling

        return Resampling.BICUBIC if self.interpolation == "bicubic" else Resampling.BILINEAR

    def _shortest(self, image: Image) -> Image:
        width, height = image.size
        short = min(width, height)
        if max(width, height) > MAX_ASPECT * short:
            keep = MAX_ASPECT * short
            left, top = max(0, (width - keep) // 2), max(0, (height - keep) // 2)
            image = image.crop((left, top, left + min(width, keep), top + min(height, keep)))
            width, height = image.size
        scaled = (int(self.size * width / short), int(self.size * height / short))
        image = image.resize(scaled, self._kernel())
        left, top = round((scaled[0] - self.size) / 2), round((scaled[1] - self.size) / 2)
        return image.crop((left, top, left + self.size, top + self.size))

    def _pad(self, image: Image) -> Image:
        from PIL import Image as pillow

        longer = max(image.size)
        # The order of the operations is Janus': int(side / longer * size), not int(side * size / longer).
        sides = [min(self.size, max(int(side / longer * self.size), MIN_SIDE)) for side in image.size]
        resized = image.resize((sides[0], sides[1]), self._kernel())
        colour = [int(mean * 255) for mean in self.mean]
        square = pillow.new("RGB", (self.size, self.size), (colour[0], colour[1], colour[2]))
        square.paste(resized, ((self.size - sides[0]) // 2, (self.size - sides[1]) // 2))
        return square
