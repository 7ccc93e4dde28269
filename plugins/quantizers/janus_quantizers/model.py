"""A pyramid of residual blocks around a quantizer of vector-quantize-pytorch."""

from __future__ import annotations

from torch import Tensor, nn

from janus_conv_vq.blocks import PyramidDecoder, PyramidEncoder
from janus_conv_vq.llamagen import NAMES
from janus_conv_vq.pixels import PixelTransform, transform
from janus_conv_vq.tokenizer import ConvTokenizer
from janus_conv_vq.weights import load_weights
from janus_core.interfaces import BuildContext
from janus_quantizers.layouts import layouts
from janus_quantizers.options import FSQOptions, LFQOptions, QuantizerOptions, ResidualOptions
from janus_quantizers.quantize import FSQuantizer, LFQuantizer, LibraryQuantizer, ResidualQuantizer


class QuantizedPyramid(ConvTokenizer):
    """Encoder, 1x1 convolution, quantizer, 1x1 convolution, decoder; C codebooks at each position."""

    quantize: LibraryQuantizer  # type: ignore[assignment]

    def __init__(self, options: QuantizerOptions, quantizer: LibraryQuantizer) -> None:
        super().__init__(factor=options.factor, code_width=quantizer.width)
        pyramid = options.base_channels, options.channel_multipliers, options.residual_blocks, options.latent_channels
        self.encoder = PyramidEncoder(*pyramid, NAMES)
        self.decoder = PyramidDecoder(*pyramid, NAMES)
        self.quantize = quantizer
        self.quant_conv = nn.Conv2d(options.latent_channels, quantizer.width, 1)
        self.post_quant_conv = nn.Conv2d(quantizer.width, options.latent_channels, 1)

    @property
    def codebooks(self) -> tuple[int, ...]:
        return self.quantize.sizes

    def assign(self, latents: Tensor) -> Tensor:
        return self.quantize.assign(latents)

    def lookup(self, codes: Tensor) -> Tensor:
        return self.quantize.lookup(codes).to(self._dtype())

    def latents(self, pixels: Tensor) -> Tensor:
        out: Tensor = self.quant_conv(self.encoder(pixels))
        return out

    def pixels(self, vectors: Tensor) -> Tensor:
        out: Tensor = self.decoder(self.post_quant_conv(vectors))
        return out


def build_fsq(options: FSQOptions, context: BuildContext) -> QuantizedPyramid:
    """Build ``fsq`` and read its weights; `ImportError` if the library is not installed."""
    tokenizer = QuantizedPyramid(options, FSQuantizer(options))
    load_weights(tokenizer, options.weights, options.format, layouts("fsq"), context)
    return tokenizer


def build_lfq(options: LFQOptions, context: BuildContext) -> QuantizedPyramid:
    """Build ``lfq`` and read its weights; `ImportError` if the library is not installed."""
    tokenizer = QuantizedPyramid(options, LFQuantizer(options))
    load_weights(tokenizer, options.weights, options.format, layouts("lfq"), context)
    return tokenizer


def build_residual(options: ResidualOptions, context: BuildContext) -> QuantizedPyramid:
    """Build ``residual`` and read its weights; `ImportError` if the library is not installed."""
    tokenizer = QuantizedPyramid(options, ResidualQuantizer(options))
    load_weights(tokenizer, options.weights, options.format, layouts("residual"), context)
    return tokenizer


def build_transform(options: QuantizerOptions, context: BuildContext) -> PixelTransform:
    """The transform of the pictures that the model draws; needs no library."""
    return transform(options.factor, context)
