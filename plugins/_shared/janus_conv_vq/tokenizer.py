"""What the convolutional tokenizers have in common: codes in raster order, checks, and the two directions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from janus_conv_vq.pixels import grid_side
from janus_conv_vq.quantize import Codebook, Quantized
from janus_core.interfaces import CodeLayout


class ConvTokenizer(nn.Module):
    """A generation tokenizer with a grid of codes in raster order.

    A subclass sets ``quantize`` and gives ``latents`` and ``pixels``; one with several codebooks at a position gives
    ``codebooks``, ``assign`` and ``lookup`` too.

    Attributes:
        factor: pixels a side of one code.
        code_width: length of a code's vector.
    """

    quantize: Codebook

    def __init__(self, *, factor: int, code_width: int) -> None:
        super().__init__()
        self.factor, self.code_width = factor, code_width

    def latents(self, pixels: Tensor) -> Tensor:
        """[B, 3, H, W] in [-1, 1] -> [B, code_width, H / factor, W / factor], before the codebook."""
        raise NotImplementedError

    def pixels(self, vectors: Tensor) -> Tensor:
        """Codes' vectors [B, code_width, h, w] -> [B, 3, factor h, factor w], about in [-1, 1]."""
        raise NotImplementedError

    @property
    def codebooks(self) -> tuple[int, ...]:
        """Sizes of the codebooks at each position."""
        return (self.quantize.size,)

    def assign(self, latents: Tensor) -> Tensor:
        """[..., code_width] -> the codes of each, int64 [..., C]."""
        return self.quantize.assign(latents)[..., None]

    def lookup(self, codes: Tensor) -> Tensor:
        """int64 [..., C], in range -> [..., code_width]."""
        return self.quantize.lookup(codes[..., 0])

    def layout(self, image_size: int) -> CodeLayout:
        """The codes of a square picture; `ValueError` with the nearest allowed sides if this one does not divide."""
        side = grid_side(image_size, self.factor)
        return CodeLayout(positions=side * side, grid=(side, side), codebooks=self.codebooks)

    @torch.no_grad()
    def encode(self, pixels: Tensor) -> Tensor:
        """[B, 3, H, W] in [-1, 1] -> int64 [B, N, C]; computed in the module's own dtype, whatever autocast says."""
        if pixels.ndim != 4 or pixels.shape[1] != 3:
            raise ValueError(f"pixels have shape {list(pixels.shape)}: give [batch, 3, height, width]")
        for side in pixels.shape[2:]:
            grid_side(side, self.factor)
        with torch.autocast(pixels.device.type, enabled=False):
            latents = self.latents(pixels.to(self._dtype()))
        return self.assign(latents.movedim(1, -1)).flatten(1, 2)

    def decode(self, codes: Tensor, layout: CodeLayout) -> Tensor:
        """int64 [B, N, C] -> [B, 3, H, W]; `ValueError` if a code or the layout cannot be of this tokenizer."""
        count = len(self.codebooks)
        if layout.grid is None or layout.codebooks != self.codebooks:
            raise ValueError(f"{layout} is not of this tokenizer, which has a grid and codebooks {self.codebooks}")
        if codes.ndim != 3 or codes.shape[1:] != (layout.positions, count):
            raise ValueError(
                f"codes have shape {list(codes.shape)}: the layout asks for [batch, {layout.positions}, {count}]"
            )
        vectors = self.embed(codes).transpose(1, 2).contiguous()
        return self.pixels(vectors.view(len(codes), self.code_width, *layout.grid))

    def embed(self, codes: Tensor) -> Tensor:
        """int64 [B, N, C] -> [B, N, code_width]; `ValueError` if a code is out of range."""
        self._check_range(codes)
        return self.lookup(codes)

    def reconstruct(self, pixels: Tensor) -> tuple[Tensor, Quantized]:
        """Pixels -> pixels through the codes, with gradient; in training mode a moving codebook moves."""
        quantized = self.quantize(self.latents(pixels.to(self._dtype())))
        return self.pixels(quantized.vectors), quantized

    def last_kernel(self) -> nn.Parameter:
        """The decoder's last kernel, at which gradients are compared (`VQLosses.adaptive`)."""
        kernel: nn.Parameter = self.decoder.conv_out.weight  # type: ignore[union-attr, assignment]
        return kernel

    def _dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    def _check_range(self, codes: Tensor) -> None:
        if codes.is_meta or codes.numel() == 0:
            return
        lows, highs = torch.stack(codes.flatten(0, -2).aminmax(dim=0)).tolist()
        for index, (low, high, size) in enumerate(zip(lows, highs, self.codebooks, strict=True)):
            if low < 0 or high >= size:
                where = f" of codebook {index}" if len(self.codebooks) > 1 else ""
                raise ValueError(
                    f"code {low if low < 0 else high}{where} is out of range: the codes are 0 to {size - 1}"
                )
