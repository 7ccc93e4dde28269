"""The transform of every convolutional tokenizer: a picture -> pixels in [-1, 1], exactly square."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from janus_core.interfaces import BuildContext, Prepared


def grid_side(image_size: int, factor: int) -> int:
    """Codes a side of a square picture; `ValueError` with the nearest allowed sizes if it does not divide."""
    if image_size < factor or image_size % factor:
        below = max(image_size // factor, 1) * factor
        raise ValueError(
            f"image_size {image_size} is not a positive multiple of {factor}, the pixels a side of one code: "
            f"use {below} or {below + factor}"
        )
    return image_size // factor


@dataclass(frozen=True, slots=True)
class PixelTransform:
    """Short side to ``image_size`` (PIL bicubic, antialiased), centre crop, float32 [3, S, S] as x / 127.5 - 1.

    Attributes:
        image_size: side in pixels, S.
        factor: pixels a side of one code.
        digest: equal for transforms that do the same.
    """

    image_size: int
    factor: int
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        grid_side(self.image_size, self.factor)
        told = f"janus_conv_vq.pixels/1 bicubic short-side centre-crop [-1,1] {self.image_size} {self.factor}"
        object.__setattr__(self, "digest", hashlib.sha256(told.encode()).hexdigest()[:16])

    def __call__(self, raw: Any) -> Prepared:
        """A ``PIL.Image`` in mode RGB -> its pixels; `ValueError` for anything else."""
        if not isinstance(raw, Image.Image) or raw.mode != "RGB":
            given = f"an image of mode {raw.mode}" if isinstance(raw, Image.Image) else f"a {type(raw).__name__}"
            raise ValueError(
                f"the generation tokenizer takes a PIL image of mode RGB, not {given}: use image.convert('RGB')"
            )
        square = _short_side_and_crop(raw, self.image_size)
        pixels = torch.from_numpy(np.array(square)).permute(2, 0, 1).float().contiguous()
        return Prepared(pixels / 127.5 - 1, grid_side(self.image_size, self.factor) ** 2)

    def collate(self, prepared: Sequence[Prepared]) -> Tensor:
        """Stack to float32 [B, 3, S, S]."""
        return torch.stack([item.inputs for item in prepared])


def transform(factor: int, context: BuildContext) -> PixelTransform:
    """The transform for the pictures that the model draws."""
    if context.image_size <= 0:
        raise ValueError(
            f"image_size is {context.image_size}: give the side in pixels of the pictures that the model draws"
        )
    return PixelTransform(context.image_size, factor)


def _short_side_and_crop(image: Image.Image, side: int) -> Image.Image:
    """Resize and crop in one pass: the same pixels as in two, and no huge picture between for a 1-pixel side."""
    short = min(image.size)
    full = [max(side, int(length * side / short)) for length in image.size]
    begin = [round((length - side) / 2) for length in full]
    scale = [was / now for was, now in zip(image.size, full, strict=True)]
    box = (
        begin[0] * scale[0],
        begin[1] * scale[1],
        min((begin[0] + side) * scale[0], image.size[0]),
        min((begin[1] + side) * scale[1], image.size[1]),
    )
    return image.resize((side, side), Image.Resampling.BICUBIC, box=box)
