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

    With several codebooks the tables begin as the parts of which the tokenizer's vectors are sums: adding up vectors (a
    residual tokenizer) or laying them side by side (a factorised one) are both such sums.

    Raises:
        ValueError: ``begin`` is "tokenizer", and the tokenizer's vectors are no sums over the codebooks.
    """
    table = CodeTable(layout.codebooks, tokenizer.code_width)
    if begin == "tokenizer":
        _begin_as_tokenizer(table, tokenizer, layout)
    return table


@torch.no_grad()
def _begin_as_tokenizer(table: CodeTable, tokenizer: GenerationTokenizer, layout: CodeLayout) -> None:
    assert isinstance(tokenizer, nn.Module)
    device, count = device_of(tokenizer), len(layout.codebooks)
    zero = torch.zeros(1, 1, count, dtype=torch.int64, device=device)
    share = tokenizer.embed(zero)[0] * ((count - 1) / count)  # each codebook's part of what code 0 of all would count
    for index, (size, part) in enumerate(zip(layout.codebooks, table.tables, strict=True)):
        codes = zero.repeat(1, size, 1)
        codes[0, :, index] = torch.arange(size, device=device)
        assert isinstance(part, nn.Embedding)
        vectors = tokenizer.embed(codes)[0]
        part.weight.copy_((vectors - share if count > 1 else vectors).to(part.weight))
    if count > 1 and device.type != "meta" and table.tables[0].weight.device.type != "meta":
        last = torch.tensor([[[size - 1 for size in layout.codebooks]]], device=device)
        whole = tokenizer.embed(last).to(table.tables[0].weight)  # type: ignore[arg-type]
        if not torch.allclose(table(last.to(whole.device)), whole, rtol=1e-2, atol=1e-3):
            raise ValueError(
                "code_table: tokenizer needs codes whose vectors add up over the codebooks; write code_table: random"
            )
