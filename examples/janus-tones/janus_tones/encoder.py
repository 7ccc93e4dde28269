"""The understanding encoder ``tones_encoder``: a small transformer over pieces of a spectrogram."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from janus_core.interfaces import BuildContext, Features, UnderstandingEncoder
from janus_tones.options import EncoderOptions


class Block(nn.Module):
    """Attention over the real tokens, then a feed-forward block; both pre-norm and residual."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """[B, N, width], bool [B, 1, 1, N] -> [B, N, width]."""
        q, k, v = self.qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2))
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]


class TonesEncoder(nn.Module):
    """Stacks the frames of a token, adds sine positions (arXiv:1706.03762), so that any length is possible."""

    modality = "audio"

    def __init__(self, options: EncoderOptions) -> None:
        super().__init__()
        self.width, self.frames_per_token, self.mels = options.width, options.frames_per_token, options.mels
        self.embed = nn.Linear(options.frames_per_token * options.mels, options.width)
        self.blocks = nn.ModuleList(Block(options.width, options.heads) for _ in range(options.layers))
        self.norm = nn.LayerNorm(options.width)

    def forward(self, inputs: Any) -> Features:
        """``spectrogram`` [B, N * frames_per_token, mels] and ``mask`` bool [B, N] -> tokens [B, N, width].

        What stands at a masked token changes no real one.
        """
        spectrogram, mask = inputs["spectrogram"], inputs["mask"]
        if spectrogram.shape[1:] != (mask.shape[1] * self.frames_per_token, self.mels):
            raise ValueError(
                f"spectrogram {tuple(spectrogram.shape)} does not fit mask {tuple(mask.shape)}: this encoder takes "
                f"{self.frames_per_token} frames of {self.mels} bands a token; use its own transform's collate"
            )
        x = self.embed(spectrogram.unflatten(1, (mask.shape[1], self.frames_per_token)).flatten(2))
        x = x.masked_fill(~mask[..., None], 0.0) + self._positions(x)
        for block in self.blocks:
            x = block(x, mask[:, None, None])
        return Features(self.norm(x), mask)

    def _positions(self, x: Tensor) -> Tensor:
        steps = torch.arange(x.shape[1], device=x.device, dtype=torch.float32)[:, None]
        rates = 10000 ** -(torch.arange(0, self.width, 2, device=x.device, dtype=torch.float32) / self.width)
        return torch.cat(((steps * rates).sin(), (steps * rates).cos()), dim=-1).to(x.dtype)


def build(options: EncoderOptions, context: BuildContext) -> UnderstandingEncoder:
    """The encoder, random or from a safetensors file; torch's own error names keys that do not fit."""
    encoder = TonesEncoder(options)
    if options.weights != "none" and not context.skip_weights:
        encoder.load_state_dict(load_file(context.folder / options.weights), strict=True)
    return encoder
