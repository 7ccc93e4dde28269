"""The semantic decoder: the second branch behind the codebook (Janus, arXiv:2410.13848, appendix A)."""

from __future__ import annotations

import math

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn


class SemanticDecoder(nn.Module):
    """A causal ViT: the vectors of the codes -> one token for each, which sees only codes up to its own.

    The paper gives layers, heads, width and the mask. Our choices: sine and cosine positions in two dimensions, so that
    any grid fits; pre-norm blocks with an MLP of 4 widths, as in ViT; a final norm.
    """

    def __init__(self, code_width: int, *, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.width = width
        self.enter = nn.Linear(code_width, width)
        self.blocks = nn.ModuleList(Block(width, heads, qkv_bias=True) for _ in range(layers))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, vectors: Tensor, grid: tuple[int, int]) -> Tensor:
        """[B, N, code_width] in raster order of ``grid`` (rows, columns) -> [B, N, width]."""
        tokens: Tensor = self.enter(vectors)
        tokens = tokens + positions(grid, self.width).to(tokens)
        for block in self.blocks:
            tokens = block(tokens, is_causal=True)
        normed: Tensor = self.norm(tokens)
        return normed


def positions(grid: tuple[int, int], width: int) -> Tensor:
    """Sines and cosines of the row, then of the column, at width / 4 frequencies from 1 to 1e-4: [N, width]."""
    rows, columns = torch.meshgrid(*(torch.arange(side).float() for side in grid), indexing="ij")
    frequencies = torch.exp(torch.arange(width // 4) * (-math.log(1e4) / max(1, width // 4 - 1)))
    angles = [axis.reshape(-1, 1) * frequencies for axis in (rows, columns)]
    return torch.cat([wave for angle in angles for wave in (angle.sin(), angle.cos())], dim=1)
