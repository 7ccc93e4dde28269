"""Rotary positions and causal grouped-query attention: packed, plain and cached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from janus_core.interfaces import SequenceLayout
from janus_llama.cache import KeyValueCache
from janus_llama.options import LlamaOptions


def rotary(positions: Tensor, width: int, theta: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosine and signed sine ``[R, 1, T, width]`` of ``positions`` [R, T], computed in float32 (arXiv:2104.09864).

    Nothing is stored in the module, so that neither a cast to bfloat16 nor a start on the meta device can spoil it.
    """
    steps = torch.arange(0, width, 2, dtype=torch.float32, device=positions.device)
    angles = positions[:, None, :, None].float() * (1.0 / theta ** (steps / width))
    cosine, sine = angles.cos(), angles.sin()
    return torch.cat((cosine, cosine), -1).to(dtype), torch.cat((-sine, sine), -1).to(dtype)


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turn the pairs (i, i + width / 2) of ``x`` [R, heads, T, width], Hugging Face's order of a head's channels."""
    half = x.shape[-1] // 2
    swapped = torch.cat((x[..., half:], x[..., :half]), -1)
    return x * cosine.to(x.dtype) + swapped * sine.to(x.dtype)


@dataclass(frozen=True, slots=True)
class Plan:
    """Who attends to whom in one call of the model, worked out once for all layers.

    Attributes:
        lengths: packed samples, or None.
        causal: each row is causal over the keys of this call.
        prefix: read this many positions from the cache instead of the keys of this call; 0 for none.
        mask: bool [R, 1, T, prefix], true where a query sees a key, or None when it sees all of the prefix.
    """

    lengths: tuple[int, ...] | None = None
    causal: bool = False
    prefix: int = 0
    mask: Tensor | None = None


def make_plan(layout: SequenceLayout, rows: int, tokens: int, limit: int, cache: KeyValueCache | None) -> Plan:
    """Check the layout of a call of ``[rows, tokens]`` and plan its attention.

    With a cache the plan depends on the values of ``layout.positions``: keep them in CPU memory (they are moved where
    they are needed), or each call waits once for the accelerator.

    Raises:
        ValueError: sizes that do not fit each other, the cache or ``limit`` (the option ``max_positions``).
    """
    if tuple(layout.positions.shape) != (rows, tokens):
        raise ValueError(f"positions have shape {tuple(layout.positions.shape)}, but embeds have [{rows}, {tokens}, …]")
    if layout.lengths is not None:
        _check_lengths(layout.lengths, rows, tokens, cache)
    longest = max(layout.lengths, default=0) if layout.lengths is not None else tokens
    if longest > limit:
        raise ValueError(f"a sample of {longest} tokens exceeds max_positions {limit}: shorten it or raise the option")
    if cache is None:
        return Plan(lengths=layout.lengths, causal=True)
    if cache.rows != rows:
        raise ValueError(f"the cache has {cache.rows} rows, but embeds have {rows}: make one with new_cache({rows}, …)")
    if tokens == 0:
        return Plan(causal=True)
    low, high = (int(x) for x in torch.stack(layout.positions.aminmax()).tolist())
    if low < 0 or high >= cache.length:
        raise ValueError(f"positions {low} … {high} lie outside the cache's 0 … {cache.length - 1}: make it longer")
    if low == high and tokens == 1:
        return Plan(prefix=high + 1)
    counted = torch.arange(tokens, device=layout.positions.device)
    if low == 0 and high == tokens - 1 and bool((layout.positions == counted).all()):
        return Plan(causal=True)
    keys = torch.arange(high + 1, device=layout.positions.device)
    return Plan(prefix=high + 1, mask=keys <= layout.positions[:, None, :, None])


def _check_lengths(lengths: Sequence[int], rows: int, tokens: int, cache: KeyValueCache | None) -> None:
    if cache is not None:
        raise ValueError("a packed batch (layout.lengths) cannot use a cache: give lengths None and one row a sample")
    if rows != 1:
        raise ValueError(f"a packed batch (layout.lengths) has 1 row, not {rows}: join the samples in one row")
    if sum(lengths) != tokens or min(lengths, default=0) < 1:
        raise ValueError(f"lengths {tuple(lengths)} must be positive and sum to {tokens}, but sum to {sum(lengths)}")


def packed_attention(q: Tensor, k: Tensor, v: Tensor, lengths: Sequence[int]) -> Tensor:
    """Causal attention inside each of the samples packed in ``[1, heads, T, width]``, none across.

    Consecutive samples of equal length share one call; there is no mask, so the work is the sum of squared lengths.
    """
    runs = [(length, len(list(group))) for length, group in groupby(lengths)]
    sizes = [length * count for length, count in runs]
    parts = []
    pieces = (torch.split(x[0], sizes, dim=1) for x in (q, k, v))
    for (length, count), *qkv in zip(runs, *pieces, strict=True):
        a, b, c = (x.unflatten(1, (count, length)).transpose(0, 1) for x in qkv)
        parts.append(_attend(a, b, c, causal=True).transpose(0, 1).flatten(1, 2))
    return torch.cat(parts, dim=1)[None]


def _attend(q: Tensor, k: Tensor, v: Tensor, causal: bool = False, mask: Tensor | None = None) -> Tensor:
    grouped = q.shape[1] != k.shape[1]
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, enable_gqa=grouped)


class SelfAttention(nn.Module):
    """Causal self-attention with ``heads`` queries and ``kv_heads`` keys and values, without biases."""

    def __init__(self, options: LlamaOptions, layer: int) -> None:
        super().__init__()
        self.layer, self.head_width = layer, options.head_width
        queries, shared = options.hidden_size, options.key_value_heads * options.head_width
        self.q_proj = nn.Linear(options.hidden_size, queries, bias=False)
        self.k_proj = nn.Linear(options.hidden_size, shared, bias=False)
        self.v_proj = nn.Linear(options.hidden_size, shared, bias=False)
        self.o_proj = nn.Linear(queries, options.hidden_size, bias=False)

    def forward(
        self, x: Tensor, turn: tuple[Tensor, Tensor], plan: Plan, positions: Tensor, cache: KeyValueCache | None
    ) -> Tensor:
        """[R, T, width] -> [R, T, width]; ``turn`` is what `rotary` gives for ``positions`` [R, T]."""
        q, k, v = (
            project(x).unflatten(-1, (-1, self.head_width)).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = rotate(q, *turn), rotate(k, *turn)
        if cache is not None:
            cache.write(self.layer, positions, k, v)
        if plan.lengths is not None:
            mixed = packed_attention(q, k, v, plan.lengths)
        elif cache is not None and plan.prefix:
            mixed = _attend(q, *cache.read(self.layer, plan.prefix), mask=plan.mask)
        else:
            mixed = _attend(q, k, v, causal=plan.causal)
        return self.o_proj(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]
