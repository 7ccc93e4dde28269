"""The semantic tokenizer of Janus' ablations: VQ-16 with a semantic decoder beside the decoder of pixels."""

from __future__ import annotations

from torch import Tensor

from janus_conv_vq.llamagen import LlamaGenVQ
from janus_conv_vq.pixels import PixelTransform, transform
from janus_conv_vq.weights import load_weights
from janus_core.interfaces import BuildContext
from janus_semantic_tokenizer.decoder import SemanticDecoder
from janus_semantic_tokenizer.options import SemanticTokenizerOptions
from janus_semantic_tokenizer.plugin import janus_generation_tokenizers


class SemanticTokenizer(LlamaGenVQ):
    """VQ-16 with its own keys, and ``semantic.*``. The language model predicts the codes; the pixel decoder draws them.

    Attributes:
        semantic_width: width of the semantic tokens.
    """

    def __init__(self, options: SemanticTokenizerOptions) -> None:
        super().__init__(options)
        self.semantic_width = options.semantic_width
        self.semantic = SemanticDecoder(
            options.code_width,
            width=options.semantic_width,
            layers=options.semantic_layers,
            heads=options.semantic_heads,
        )

    def understand(self, vectors: Tensor) -> Tensor:
        """The codes' vectors [B, code_width, h, w] -> semantic tokens [B, h * w, semantic_width], in raster order."""
        rows, columns = vectors.shape[2:]
        tokens: Tensor = self.semantic(vectors.flatten(2).transpose(1, 2), (rows, columns))
        return tokens


def build(options: SemanticTokenizerOptions, context: BuildContext) -> SemanticTokenizer:
    """Build the tokenizer and read its weights."""
    tokenizer = SemanticTokenizer(options)
    (spec,) = janus_generation_tokenizers()
    load_weights(tokenizer, options.weights, options.format, spec.layouts, context)
    return tokenizer


def build_transform(options: SemanticTokenizerOptions, context: BuildContext) -> PixelTransform:
    """The transform of the pictures that the model draws, and of those that it understands."""
    return transform(options.factor, context)
