"""The semantic tokenizer as understanding encoder: image, CNN encoder, codes, semantic decoder, tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from janus_core.interfaces import BuildContext, Features, Transform, UnderstandingEncoder
from janus_semantic_tokenizer.model import SemanticTokenizer
from janus_semantic_tokenizer.options import SemanticEncoderOptions


class SemanticEncoder(nn.Module):
    """Serves the tokenizer that it is given, so that both paths see the same codes (arXiv:2410.13848, table 5, B, C).

    The tokenizer is registered as ``tokenizer``: one module in two roles, stored once; frozen in one role is frozen.
    """

    modality = "image"

    def __init__(self, tokenizer: SemanticTokenizer) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.width = tokenizer.semantic_width

    def forward(self, inputs: Tensor) -> Features:
        """Pixels [B, 3, H, W] in [-1, 1] -> tokens [B, N, semantic_width], all real.

        Codes are discrete: no gradient reaches the CNN encoder, only the codes' vectors and the semantic decoder.
        """
        with torch.no_grad():
            codes = self.tokenizer.encode(inputs)
        rows, columns = (side // self.tokenizer.factor for side in inputs.shape[2:])
        vectors = self.tokenizer.embed(codes).transpose(1, 2).reshape(len(codes), -1, rows, columns)
        return Features(self.tokenizer.understand(vectors))


def build(options: SemanticEncoderOptions, context: BuildContext) -> UnderstandingEncoder:
    """The encoder that shares the part named by ``options.ref``.

    Raises:
        ValueError: no model to find the part in, or the part is no semantic tokenizer.
    """
    if context.resolve is None:
        raise ValueError(_no_model(options.ref))
    part = context.resolve(options.ref)
    if not isinstance(part, SemanticTokenizer):
        raise ValueError(
            f"ref {options.ref!r} is a {type(part).__name__}, which has no semantic decoder: make it a "
            "semantic_tokenizer, or use the encoder tokenizer_as_encoder"
        )
    return SemanticEncoder(part)


def build_transform(options: SemanticEncoderOptions, context: BuildContext) -> Transform:
    """The transform of the part named by ``options.ref``; `ValueError` without a model to find it in."""
    if context.resolve_transform is None:
        raise ValueError(_no_model(options.ref))
    return context.resolve_transform(options.ref)


def _no_model(ref: str) -> str:
    return (
        f"semantic_tokenizer_encoder shares the part {ref!r} of a model, but it is built without one: use it in a "
        "recipe whose generation_tokenizer is semantic_tokenizer, or build with a context that has resolve and "
        "resolve_transform"
    )
