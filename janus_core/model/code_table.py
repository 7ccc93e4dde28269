"""The model's own input table of codes, a part of its own beside the tokenizer's codebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from janus_core.interfaces import CodeLayout, GenerationTokenizer, device_of


class CodeTable(nn.Module):
    """Codes -> vectors, the vectors of the codebooks of a position summed.

    Args:
        codebooks: sizes (K1 ... KC).
        width: width of the vectors.
    """

    def __init__(self, codebooks: Sequence[int], width: int) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size, width) for size in codebooks)

    def forward(self, codes: Tensor) -> Tensor:
        """int64 [..., C] -> float [..., width]."""
        return torch.stack([table(codes[..., c]) for c, table in enumerate(self.tables)]).sum(0)


def build_code_table(
    tokenizer: GenerationTokenizer, layout: CodeLayout, begin: Literal["tokenizer", "random"]
) -> CodeTable:
    """A table for the tokenizer's codes, beginning as its code vectors or at random.

    Raises:
        ValueError: ``begin`` is "tokenizer", and several codebooks share a position, so that no vector is one code's.
    """
    table = CodeTable(layout.codebooks, tokenizer.code_width)
    if begin == "tokenizer":
        if len(layout.codebooks) != 1:
            raise ValueError("code_table: tokenizer needs one codebook; write code_table: random")
        assert isinstance(tokenizer, nn.Module)
        ids = torch.arange(layout.codebooks[0], device=device_of(tokenizer))[None, :, None]
        weight = table.tables[0].weight
        with torch.no_grad():
            assert isinstance(weight, Tensor)
            weight.copy_(tokenizer.embed(ids)[0].to(weight.device, weight.dtype))
    return table
