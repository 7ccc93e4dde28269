"""PIL picture -> patches with their places, aspect ratio kept. Imports torch only when a picture is prepared."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any

from janus_core.interfaces import Prepared

if TYPE_CHECKING:
    from torch import Tensor

PRECISION = 1e-5
"""Where the search for the scale stops (big_vision and its ports)."""


def fitted(height: int, width: int, patch: int, most: int) -> tuple[int, int]:
    """(rows, columns) of patches of the largest scaling of a picture that has at most ``most`` of them.

    Each side is rounded up to whole patches, and the scale is found by halving, as in SigLIP 2's own preprocessing.
    """

    def grid(scale: float) -> tuple[int, int]:
        return max(ceil(height * scale / patch), 1), max(ceil(width * scale / patch), 1)

    low, high = PRECISION / 10, 100.0
    while high - low >= PRECISION:
        middle = (low + high) / 2
        rows, columns = grid(middle)
        low, high = (middle, high) if rows * columns <= most else (low, middle)
    rows, columns = grid(low)
    if rows * columns > most:  # a picture so long that even one row of patches is too many
        rows, columns = min(rows, most), min(columns, most)
    return rows, columns


@dataclass(slots=True)
class NaFlexTransform:
    """Resize to whole patches (PIL bilinear, antialiased), x / 127.5 - 1, cut into patches in raster order.

    Attributes:
        patch_size: side of a patch in pixels, P.
        max_patches: most patches of a picture.
        digest: equal for transforms that do the same.
    """

    patch_size: int
    max_patches: int
    digest: str = field(init=False, default="")

    def __post_init__(self) -> None:
        told = f"janus_siglip2/1 naflex bilinear [-1,1] {self.patch_size} {self.max_patches}"
        self.digest = hashlib.sha256(told.encode()).hexdigest()[:16]

    def __call__(self, raw: Any) -> Prepared:
        """A ``PIL.Image`` in mode RGB -> {patches: float32 [N, P * P * 3], places: int64 [N, 2] (row, column)}."""
        import numpy as np
        import torch
        from PIL.Image import Image, Resampling

        if not isinstance(raw, Image) or raw.mode != "RGB":
            given = f"an image of mode {raw.mode}" if isinstance(raw, Image) else f"a {type(raw).__name__}"
            raise ValueError(f"expected a PIL image of mode RGB, got {given}: use image.convert('RGB')")
        if 0 in raw.size:
            raise ValueError(f"the picture is empty: {raw.size[0]} x {raw.size[1]} pixels")
        side = self.patch_size
        rows, columns = fitted(raw.height, raw.width, side, self.max_patches)
        resized = raw.resize((columns * side, rows * side), Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(resized)).float() / 127.5 - 1
        patches = pixels.view(rows, side, columns, side, 3).transpose(1, 2).reshape(rows * columns, -1)
        places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns))
        return Prepared({"patches": patches, "places": places}, rows * columns)

    def collate(self, prepared: Sequence[Prepared]) -> dict[str, Tensor]:
        """{patches: [B, N, P * P * 3], places: [B, N, 2], real: bool [B, N]}, padded on the right to the longest."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        real = [torch.ones(item.num_tokens, dtype=torch.bool) for item in prepared]
        return {
            "patches": pad_sequence([item.inputs["patches"] for item in prepared], batch_first=True),
            "places": pad_sequence([item.inputs["places"] for item in prepared], batch_first=True),
            "real": pad_sequence(real, batch_first=True),
        }
