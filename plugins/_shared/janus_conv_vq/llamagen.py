"""VQ-16 and VQ-8 of LlamaGen (Sun et al. 2406.06525), key for key; Janus and Janus-Pro freeze VQ-16."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from janus_conv_vq.blocks import Names, PyramidDecoder, PyramidEncoder
from janus_conv_vq.options import PyramidOptions
from janus_conv_vq.quantize import LearnedCodebook
from janus_conv_vq.tokenizer import ConvTokenizer

NAMES = Names(down="conv_blocks", up="conv_blocks", residual="res", middle=("0", "1", "2"), lowest_first=True)
RING = 65536
"""Length of the usage ring that the published files hold."""


class RingedCodebook(LearnedCodebook):
    """Codes and latents at length 1; ``codebook_used``, a ring of recently used codes, is carried and never read."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__(size, width, normalised=True)
        self.register_buffer("codebook_used", torch.zeros(RING))


class LlamaGenVQ(ConvTokenizer):
    """VQ-16: 344 tensors, 71,883,403 parameters (encoder 29,298,176, decoder 42,449,795)."""

    def __init__(self, options: PyramidOptions) -> None:
        super().__init__(factor=options.factor, code_width=options.code_width)
        pyramid = options.base_channels, options.channel_multipliers, options.residual_blocks, options.latent_channels
        self.encoder = PyramidEncoder(*pyramid, NAMES)
        self.decoder = PyramidDecoder(*pyramid, NAMES)
        self.quantize = RingedCodebook(options.codes, options.code_width)
        self.quant_conv = nn.Conv2d(options.latent_channels, options.code_width, 1)
        self.post_quant_conv = nn.Conv2d(options.code_width, options.latent_channels, 1)

    def latents(self, pixels: Tensor) -> Tensor:
        out: Tensor = self.quant_conv(self.encoder(pixels))
        return out

    def pixels(self, vectors: Tensor) -> Tensor:
        out: Tensor = self.decoder(self.post_quant_conv(vectors))
        return out
