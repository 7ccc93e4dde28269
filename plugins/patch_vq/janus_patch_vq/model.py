"""A small tokenizer that trains in minutes on a CPU: every convolution works on the grid of patches."""

from __future__ import annotations

from torch import Tensor, nn

from janus_conv_vq.blocks import GroupNorm, ResidualBlock
from janus_conv_vq.pixels import PixelTransform, transform
from janus_conv_vq.quantize import MovingCodebook
from janus_conv_vq.tokenizer import ConvTokenizer
from janus_conv_vq.weights import load_weights
from janus_core.interfaces import BuildContext
from janus_patch_vq.layouts import layouts
from janus_patch_vq.options import PatchVQOptions


class PatchVQ(ConvTokenizer):
    """1.94 M parameters in the quickstart's size: 3.9 MB in fp16."""

    def __init__(self, options: PatchVQOptions) -> None:
        super().__init__(factor=options.patch, code_width=options.code_width, pretraining=options.pretraining)
        width, values = options.width, 3 * options.patch**2
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(options.patch),
            nn.Conv2d(values, width, 3, padding=1),
            *(ResidualBlock(width, width) for _ in range(options.encoder_blocks)),
            GroupNorm(width),
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
            nn.Conv2d(options.code_width, width, 3, padding=1),
            *(ResidualBlock(width, width) for _ in range(options.decoder_blocks)),
            GroupNorm(width),
            nn.SiLU(),
            nn.Conv2d(width, values, 3, padding=1),
            nn.PixelShuffle(options.patch),
        )

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
