"""MoVQGAN (Zheng et al. 2209.09002): a VQGAN whose decoder sees the codes at every norm.

Written from the description and checked against ``diffusers.VQModel(norm_type="spatial")``.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from janus_conv_vq.blocks import Names, PyramidDecoder, PyramidEncoder, SpatialNorm
from janus_conv_vq.pixels import PixelTransform, transform
from janus_conv_vq.quantize import LearnedCodebook
from janus_conv_vq.tokenizer import ConvTokenizer
from janus_conv_vq.weights import load_weights
from janus_core.interfaces import BuildContext
from janus_movqgan.layouts import layouts
from janus_movqgan.options import MoVQGANOptions

NAMES = Names(down="down", up="up", residual="block", middle=("block_1", "attn_1", "block_2"), lowest_first=False)


class MoVQGAN(ConvTokenizer):
    """67.83 M (431 tensors), 101.61 M (671) or 270.67 M (431) parameters."""

    def __init__(self, options: MoVQGANOptions) -> None:
        super().__init__(factor=options.factor, code_width=options.code_width)
        pyramid = options.base_channels, options.channel_multipliers, options.residual_blocks, options.latent_channels
        self.encoder = PyramidEncoder(*pyramid, NAMES)
        self.decoder = PyramidDecoder(*pyramid, NAMES, partial(SpatialNorm, guide_channels=options.code_width))
        self.quantize = LearnedCodebook(options.codes, options.code_width)
        self.quant_conv = nn.Conv2d(options.latent_channels, options.code_width, 1)
        self.post_quant_conv = nn.Conv2d(options.code_width, options.latent_channels, 1)

    def latents(self, pixels: Tensor) -> Tensor:
        out: Tensor = self.quant_conv(self.encoder(pixels))
        return out

    def pixels(self, vectors: Tensor) -> Tensor:
        # The norms see the codes themselves, before post_quant_conv.
        out: Tensor = self.decoder(self.post_quant_conv(vectors), vectors)
        return out


def build(options: MoVQGANOptions, context: BuildContext) -> MoVQGAN:
    """Build MoVQGAN and read its weights."""
    tokenizer = MoVQGAN(options)
    formats = layouts(len(options.channel_multipliers))
    load_weights(tokenizer, options.weights, options.format, formats, context)
    return tokenizer


def build_transform(options: MoVQGANOptions, context: BuildContext) -> PixelTransform:
    """The transform of the pictures that the model draws."""
    return transform(options.factor, context)
