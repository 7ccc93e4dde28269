"""A right generation tokenizer, and the same with one fault each."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from janus_core.interfaces import CodeLayout
from janus_mutants.encoder import PATCH, Transform
from janus_mutants.options import Options

CODES, VECTOR = 13, 6


class Good(nn.Module):
    """A patch -> the nearest of 13 vectors -> a patch."""

    code_width = VECTOR

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, VECTOR, PATCH, PATCH)
        self.book = nn.Embedding(CODES, VECTOR)
        self.up = nn.ConvTranspose2d(VECTOR, 3, PATCH, PATCH)

    def layout(self, image_size: int) -> CodeLayout:
        side = self._side(image_size)
        return CodeLayout(side * side, (side, side), (CODES,))

    def _side(self, length: int) -> int:
        if length <= 0 or length % PATCH:
            raise ValueError(f"a side of {length} pixels is no positive multiple of {PATCH}")
        return length // PATCH

    @torch.no_grad()
    def encode(self, pixels: Any) -> Any:
        if pixels.ndim != 4 or pixels.shape[1] != 3:
            raise ValueError(f"expected pixels [B, 3, H, W], got {list(pixels.shape)}")
        rows = self.down(pixels).flatten(2).transpose(1, 2)
        return torch.cdist(rows.float(), self.book.weight.float()[None]).argmin(-1)[..., None]

    def check(self, codes: Any, layout: CodeLayout | None = None) -> None:
        if layout is not None and codes.shape[1] != layout.positions:
            raise ValueError(f"expected {layout.positions} codes, got {codes.shape[1]}")
        for bound in (int(codes.min()), int(codes.max())):
            if not 0 <= bound < CODES:
                raise ValueError(f"code {bound} is out of range 0 to {CODES - 1}")

    def decode(self, codes: Any, layout: CodeLayout) -> Any:
        self.check(codes, layout)
        vectors = self.book(codes[..., 0]).transpose(1, 2).unflatten(2, layout.grid)
        return self.up(vectors)

    def embed(self, codes: Any) -> Any:
        self.check(codes)
        return self.book(codes[..., 0])


class LyingPositions(Good):
    """One position too many in the layout's grid."""

    def layout(self, image_size: int) -> CodeLayout:
        side = self._side(image_size)
        return CodeLayout(side * side, (side + 1, side), (CODES,))

    def decode(self, codes: Any, layout: CodeLayout) -> Any:
        return super().decode(codes, Good.layout(self, PATCH * round(codes.shape[1] ** 0.5)))


class LyingWidth(Good):
    code_width = VECTOR + 2


class OutOfRange(Good):
    """Codes from K on."""

    @torch.no_grad()
    def encode(self, pixels: Any) -> Any:
        return super().encode(pixels) + CODES


class Int32(Good):
    """Codes in int32."""

    @torch.no_grad()
    def encode(self, pixels: Any) -> Any:
        return super().encode(pixels).int()


class Bytes(Good):
    """Pixels of 0 to 255."""

    def decode(self, codes: Any, layout: CodeLayout) -> Any:
        return super().decode(codes, layout) * 127.5 + 127.5


class UnitScale(Good):
    """Pixels of 0 to 1."""

    def decode(self, codes: Any, layout: CodeLayout) -> Any:
        return super().decode(codes, layout).sigmoid()


class Clamps(Good):
    """Takes any code and clamps it."""

    def check(self, codes: Any, layout: CodeLayout | None = None) -> None:
        super().check(codes.clamp(0, CODES - 1), layout)

    def decode(self, codes: Any, layout: CodeLayout) -> Any:
        self.check(codes, layout)
        return super().decode(codes.clamp(0, CODES - 1), layout)


class FixedBatch(Good):
    """Gives the codes of pictures in another shape when they come back from decode."""

    @torch.no_grad()
    def encode(self, pixels: Any) -> Any:
        found = super().encode(pixels)
        return found[:, : found.shape[1] - int(len(pixels) == 2)]


class Constant(Good):
    """Decodes the mean of the codes."""

    def decode(self, codes: Any, layout: CodeLayout) -> Any:
        return super().decode(codes * 0, layout) + 0 * super().decode(codes, layout)


class Contextual(Good):
    """Divides the vectors by the norm of them all."""

    def embed(self, codes: Any) -> Any:
        found = super().embed(codes)
        return found / found.norm(dim=(1, 2), keepdim=True)


class Transposes(Good):
    """Decodes column by column."""

    def decode(self, codes: Any, layout: CodeLayout) -> Any:
        self.check(codes, layout)
        side = layout.grid[0] if layout.grid else 1
        turned = codes.unflatten(1, (side, side)).transpose(1, 2).flatten(1, 2)
        return super().decode(turned, layout)


class SkipsFirst(Good):
    """Paints the second code in the place of the first, as if that were a class token."""

    def decode(self, codes: Any, layout: CodeLayout) -> Any:
        self.check(codes, layout)
        return super().decode(torch.cat((codes[:, 1:2], codes[:, 1:]), dim=1), layout)


class SameCodes(Good):
    """Encodes every picture alike."""

    @torch.no_grad()
    def encode(self, pixels: Any) -> Any:
        return super().encode(pixels) * 0


class WhiteOutOfRange(Good):
    """Codes from K on, of white pictures only."""

    @torch.no_grad()
    def encode(self, pixels: Any) -> Any:
        return super().encode(pixels) + CODES * (pixels.amin(dim=(1, 2, 3)) > 0.99).long()[:, None, None]


class OneSize(Good):
    """Promises other sizes and gives their positions wrongly."""

    def layout(self, image_size: int) -> CodeLayout:
        return super().layout(image_size if image_size < 65 else 64)


class ChangesCodes(Good):
    """Writes into the codes that it is given."""

    def decode(self, codes: Any, layout: CodeLayout) -> Any:
        found = super().decode(codes, layout)
        codes.zero_()
        return found


class Positional(Good):
    """Adds the position to the vectors."""

    def embed(self, codes: Any) -> Any:
        found = super().embed(codes)
        return found + torch.arange(found.shape[1], device=found.device, dtype=found.dtype)[:, None]


class LyingCapability(Good):
    """Right, but its record says two codebooks."""


def builder(made: Any) -> Any:
    return lambda options, context: made(options)


class UnitPixels(Transform):
    """Pixels of 0 to 1."""

    def pixels(self, raw: Any) -> Any:
        return super().pixels(raw) / 2 + 0.5


class BlueFirst(Transform):
    """Pixels in BGR."""

    def pixels(self, raw: Any) -> Any:
        return super().pixels(raw).flip(0)


class Mirrored(Transform):
    """Pictures flipped."""

    def pixels(self, raw: Any) -> Any:
        return super().pixels(raw).flip(-1)


def transform_builder(made: Any) -> Any:
    return lambda options, context: made(context.image_size)


def build_transform(options: Options, context: Any) -> Transform:
    return Transform(context.image_size)


for _name, _value in [(n, v) for n, v in globals().items() if isinstance(v, type)]:
    globals()[f"build_{_name}"] = (transform_builder if issubclass(_value, Transform) else builder)(_value)
