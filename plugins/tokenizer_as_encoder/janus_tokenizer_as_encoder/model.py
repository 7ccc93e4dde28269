"""A generation tokenizer as understanding encoder: the vectors of its codes are the feature tokens."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import nn

from janus_core.interfaces import BuildContext, Features, GenerationTokenizer, Transform, UnderstandingEncoder
from janus_tokenizer_as_encoder.options import TokenizerAsEncoderOptions


class TokenizerAsEncoder(nn.Module):
    """Serves the tokenizer that it is given, so that both paths see the same codes (arXiv:2410.13848, table 5, A).

    The tokenizer is registered as ``tokenizer``: one module in two roles, stored once; frozen in one role is frozen.
    """

    def __init__(self, tokenizer: nn.Module) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.modality = "image"
        self.width = cast(GenerationTokenizer, tokenizer).code_width

    def forward(self, inputs: Any) -> Features:
        """Pixels as the tokenizer's transform collates them -> tokens [B, N, code_width], all real.

        Codes are discrete: no gradient reaches the pixels or the tokenizer's encoder, only its code vectors.
        """
        tokenizer = cast(GenerationTokenizer, self.tokenizer)
        with torch.no_grad():
            codes = tokenizer.encode(inputs)
        return Features(tokenizer.embed(codes))


def build(options: TokenizerAsEncoderOptions, context: BuildContext) -> UnderstandingEncoder:
    """The encoder that shares the part named by ``options.ref``.

    Raises:
        ValueError: no model to find the part in, or the part is no generation tokenizer.
    """
    if context.resolve is None:
        raise ValueError(_no_model(options.ref))
    part = context.resolve(options.ref)
    lacking = [name for name in ("encode", "embed", "code_width") if not hasattr(part, name)]
    if lacking:
        raise ValueError(
            f"ref {options.ref!r} is a {type(part).__name__}, which lacks {', '.join(lacking)}: "
            "name a generation tokenizer, such as generation_tokenizer"
        )
    return TokenizerAsEncoder(part)


def build_transform(options: TokenizerAsEncoderOptions, context: BuildContext) -> Transform:
    """The transform of the part named by ``options.ref``; `ValueError` without a model to find it in."""
    if context.resolve_transform is None:
        raise ValueError(_no_model(options.ref))
    return context.resolve_transform(options.ref)


def _no_model(ref: str) -> str:
    return (
        f"tokenizer_as_encoder shares the part {ref!r} of a model, but it is built without one: "
        "use it in a recipe that has a generation_tokenizer, or build with a context that has resolve and "
        "resolve_transform"
    )
