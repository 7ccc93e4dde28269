"""The adapter ``resampler``: learned queries attend to the features (Perceiver Resampler, arXiv:2204.14198, A.1.1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from janus_adapters.options import ResamplerOptions
from janus_adapters.pointwise import check_features
from janus_core.interfaces import Adapter, BuildContext, Features


class ResamplerBlock(nn.Module):
    """Queries attend to features and queries together, then a feed-forward block; both pre-norm and residual."""

    def __init__(self, width: int, options: ResamplerOptions) -> None:
        super().__init__()
        self.heads = options.heads
        self.query_norm, self.feature_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.kv = nn.Linear(width, width, bias=False), nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        inner = options.expansion * width
        self.mlp = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, width))

    def forward(self, queries: Tensor, features: Tensor, mask: Tensor | None) -> Tensor:
        """queries [B, Q, width], features [B, N, width], mask bool [B, 1, 1, N + Q] -> [B, Q, width]."""
        normed = self.query_norm(queries)
        keys, values = self.kv(torch.cat((self.feature_norm(features), normed), dim=1)).chunk(2, dim=-1)
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (self.q(normed), keys, values))
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        queries = queries + self.out(mixed.transpose(1, 2).flatten(2))
        return queries + self.mlp(queries)  # type: ignore[no-any-return]


class Resampler(nn.Module):
    """Turns any number of features, none included, into ``queries`` tokens; masked features are not seen.

    Order reaches it only through what the encoder wrote into the features: it adds no positions of its own.
    """

    def __init__(self, in_width: int, out_width: int, options: ResamplerOptions) -> None:
        super().__init__()
        self.in_width = in_width
        self.queries = nn.Parameter(0.02 * torch.randn(options.queries, out_width))
        self.project = nn.Linear(in_width, out_width)
        self.blocks = nn.ModuleList(ResamplerBlock(out_width, options) for _ in range(options.depth))
        self.norm = nn.LayerNorm(out_width)

    def num_tokens(self, n: int) -> int:
        """Always the number of queries."""
        return len(self.queries)

    def forward(self, features: Features) -> Features:
        """[B, N, in_width] -> [B, queries, out_width], all of them real; positions end here."""
        check_features(features, self.in_width)
        tokens = self.project(features.tokens)
        queries = self.queries.expand(tokens.shape[0], -1, -1)
        mask = None
        if features.mask is not None:  # the queries see each other too, so no row is ever without a key
            tokens = tokens.masked_fill(~features.mask[..., None], 0.0)  # padding may hold anything, even NaN
            mask = F.pad(features.mask, (0, queries.shape[1]), value=True)[:, None, None]
        for block in self.blocks:
            queries = block(queries, tokens, mask)
        return Features(self.norm(queries))


def build_resampler(options: ResamplerOptions, context: BuildContext, *, in_width: int, out_width: int) -> Adapter:
    """A resampler of width ``out_width``; `ValueError` if the heads do not divide it."""
    if out_width % options.heads:
        allowed = [n for n in range(1, 65) if out_width % n == 0]
        raise ValueError(
            f"resampler: heads {options.heads} does not divide the language model's width {out_width}; "
            f"set heads to one of {allowed}"
        )
    return Resampler(in_width, out_width, options)
