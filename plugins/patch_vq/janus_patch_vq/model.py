"""A small tokenizer that trains in minutes on a CPU: every convolution works on the grid of patches.

Codes are local: a code says what its own patch shows and nothing of its neighbours. So the same drawing at the same
offset has the same codes wherever it stands, and a small language model has far less to learn; the decoder, which does
look at neighbouring codes, smooths the seams.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from janus_conv_vq.pixels import PixelTransform, transform
from janus_conv_vq.quantize import MovingCodebook
from janus_conv_vq.tokenizer import ConvTokenizer
from janus_conv_vq.weights import load_weights
from janus_core.interfaces import BuildContext
from janus_patch_vq.layouts import layouts
from janus_patch_vq.options import PatchVQOptions


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of each position of [B, C, h, w]; statistics over the picture would not be local."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class Block(nn.Module):
    """Norm, SiLU, kernel x kernel convolution, SiLU, 1x1 convolution, added to the input; begins as the identity."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(width)
        self.spread = nn.Conv2d(width, width, kernel, padding=kernel // 2)
        self.mix = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.mix.weight)
        nn.init.zeros_(self.mix.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, h, w] -> the same shape."""
        inner: Tensor = self.mix(F.silu(self.spread(F.silu(self.norm(x)))))
        return x + inner


class PatchVQ(ConvTokenizer):
    """A `GenerationTokenizer` with ``patch`` pixels a code in each direction."""

    def __init__(self, options: PatchVQOptions) -> None:
        super().__init__(factor=options.patch, code_width=options.code_width)
        width, values = options.width, 3 * options.patch**2
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(options.patch),
            nn.Conv2d(values, width, 1),
            *(Block(width, kernel=1) for _ in range(options.encoder_blocks)),
            ChannelNorm(width),
            nn.SiLU(),
            nn.Conv2d(width, options.code_width, 1),
        )
        self.quantize = MovingCodebook(
            options.codes,
            options.code_width,
            normalised=True,
            decay=options.decay,
            restart_below=options.restart_below,
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(options.code_width, width, 1),
            *(Block(width, kernel=3) for _ in range(options.decoder_blocks)),
            ChannelNorm(width),
            nn.SiLU(),
            nn.Conv2d(width, values, 1),
            nn.PixelShuffle(options.patch),
        )

    def last_kernel(self) -> nn.Parameter:
        kernel: nn.Parameter = self.decoder[-2].weight  # type: ignore[assignment]
        return kernel

    def latents(self, pixels: Tensor) -> Tensor:
        out: Tensor = self.encoder(pixels)
        return out

    def pixels(self, vectors: Tensor) -> Tensor:
        out: Tensor = self.decoder(vectors)
        return out


def build(options: PatchVQOptions, context: BuildContext) -> PatchVQ:
    """Build the tokenizer and read its weights."""
    tokenizer = PatchVQ(options)
    load_weights(tokenizer, options.weights, options.format, layouts(), context)
    return tokenizer


def build_transform(options: PatchVQOptions, context: BuildContext) -> PixelTransform:
    """The transform of the pictures that the model draws."""
    return transform(options.patch, context)
