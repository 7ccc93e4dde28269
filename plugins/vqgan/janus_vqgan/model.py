"""VQGAN (Esser et al. 2012.09841) on the Encoder and Decoder of taming-transformers."""

from __future__ import annotations

import contextlib
import io

from taming.modules.diffusionmodules.model import Decoder, Encoder
from torch import Tensor, nn

from janus_conv_vq.pixels import PixelTransform, transform
from janus_conv_vq.quantize import LearnedCodebook
from janus_conv_vq.tokenizer import ConvTokenizer
from janus_conv_vq.weights import load_weights
from janus_core.interfaces import BuildContext
from janus_vqgan.layouts import layouts
from janus_vqgan.options import VQGANOptions


class VQGAN(ConvTokenizer):
    """State keys as published: 343 for the ImageNet models, 72.14 M (1024 codes) or 76.07 M (16384) parameters."""

    def __init__(self, options: VQGANOptions) -> None:
        super().__init__(factor=options.factor, code_width=options.code_width)
        settings = {
            "ch": options.base_channels,
            "out_ch": 3,
            "ch_mult": options.channel_multipliers,
            "num_res_blocks": options.residual_blocks,
            "attn_resolutions": options.attention_resolutions,
            "in_channels": 3,
            "resolution": options.resolution,
            "z_channels": options.latent_channels,
            "double_z": False,
        }
        with contextlib.redirect_stdout(io.StringIO()):  # the library's Decoder prints its shape
            self.encoder = Encoder(**settings)
            self.decoder = Decoder(**settings)
        self.quantize = LearnedCodebook(options.codes, options.code_width)
        self.quant_conv = nn.Conv2d(options.latent_channels, options.code_width, 1)
        self.post_quant_conv = nn.Conv2d(options.code_width, options.latent_channels, 1)

    def latents(self, pixels: Tensor) -> Tensor:
        out: Tensor = self.quant_conv(self.encoder(pixels))
        return out

    def pixels(self, vectors: Tensor) -> Tensor:
        out: Tensor = self.decoder(self.post_quant_conv(vectors))
        return out


def build(options: VQGANOptions, context: BuildContext) -> VQGAN:
    """Build VQGAN and read its weights."""
    tokenizer = VQGAN(options)
    load_weights(tokenizer, options.weights, options.format, layouts(), context)
    return tokenizer


def build_transform(options: VQGANOptions, context: BuildContext) -> PixelTransform:
    """The transform of the pictures that the model draws."""
    return transform(options.factor, context)
