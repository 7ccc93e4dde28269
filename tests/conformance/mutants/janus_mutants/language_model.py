"""A right language model, and the same with one fault each."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    """Attention through a mask and a feed-forward block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.qkv, self.out = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 48), nn.GELU(), nn.Linear(48, width))

    def forward(self, x: Any, mask: Any, held: Any, positions: Any) -> Any:
        q, k, v = self.qkv(self.norm(x)).chunk(3, dim=-1)
        if held is not None:
            rows = torch.arange(len(x))[:, None]
            held[0][rows, positions], held[1][rows, positions] = k, v
            k, v = held
        x = x + self.out(F.scaled_dot_product_attention(q, k, v, attn_mask=mask))
        return x + self.mlp(x)


class Good(nn.Module):
    """Two blocks with learned positions."""

    def __init__(self, width: int, vocabulary: int) -> None:
        super().__init__()
        self.width, self.vocabulary = width, vocabulary
        self.words, self.places = nn.Embedding(vocabulary, width), nn.Embedding(32, width)
        self.layers = nn.ModuleList(Block(width) for _ in range(2))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)

    def embed(self, ids: Any) -> Any:
        return self.words(ids)

    def mask(self, layout: Any, tokens: int) -> Any:
        if layout.lengths is None:
            return torch.ones(tokens, tokens, dtype=torch.bool).tril()
        return torch.block_diag(*[torch.ones(n, n) for n in layout.lengths]).bool().tril()

    def forward(self, embeds: Any, layout: Any, cache: Any = None) -> Any:
        rows, tokens, _ = embeds.shape
        if layout.positions.shape != (rows, tokens):
            raise ValueError(f"positions {list(layout.positions.shape)} do not fit embeds {list(embeds.shape)}")
        if layout.lengths is not None and sum(layout.lengths) != tokens:
            raise ValueError(f"lengths {layout.lengths} do not sum to {tokens} tokens")
        if cache is None:
            mask = self.mask(layout, tokens)
        else:
            mask = torch.arange(cache.length)[None, None] <= layout.positions[..., None]
        x = embeds + self.places(layout.positions)
        for number, block in enumerate(self.layers):
            x = block(x, mask, None if cache is None else cache.held[number], layout.positions)
        return self.norm(x)

    def text_logits(self, hidden: Any) -> Any:
        return self.head(hidden)

    def new_cache(self, rows: int, length: int) -> Any:
        empty = self.words.weight.new_zeros(rows, length, self.width)
        held = [(empty.clone(), empty.clone()) for _ in self.layers]
        return SimpleNamespace(rows=rows, length=length, held=held)

    @torch.no_grad()
    def resize_vocabulary(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"a vocabulary of {size} rows is not possible")
        for part in (self.words, self.head):
            new = 0.02 * torch.randn(size, self.width, dtype=part.weight.dtype)
            kept = min(size, self.vocabulary)
            new[:kept] = part.weight[:kept]
            part.weight = nn.Parameter(new, part.weight.requires_grad)
        self.vocabulary = size

    def blocks(self) -> Any:
        return list(self.layers)


class SeesFuture(Good):
    """Lets every token see all."""

    def mask(self, layout: Any, tokens: int) -> Any:
        if layout.lengths is None:
            return torch.ones(tokens, tokens, dtype=torch.bool)
        return super().mask(layout, tokens)


class Leaks(Good):
    """Packed samples see the ones before."""

    def mask(self, layout: Any, tokens: int) -> Any:
        return torch.ones(tokens, tokens, dtype=torch.bool).tril()


class Forgets(Good):
    """With a cache a token sees only the last four before it."""

    def forward(self, embeds: Any, layout: Any, cache: Any = None) -> Any:
        if cache is not None and int(layout.positions.min()) >= 5:
            cache.held[0][0][:, 0] = 0
        return super().forward(embeds, layout, cache)


class LeaksLate(Good):
    """From the third sample on packed samples see the ones before."""

    def mask(self, layout: Any, tokens: int) -> Any:
        found = super().mask(layout, tokens)
        if layout.lengths is not None and len(layout.lengths) > 2:
            start = sum(layout.lengths[:2])
            found[start:] = torch.ones(tokens, tokens).bool().tril()[start:]
        return found


class SeesFutureLate(Good):
    """In long rows the first tokens see one that is to come."""

    def mask(self, layout: Any, tokens: int) -> Any:
        found = super().mask(layout, tokens)
        if tokens > 12:
            found[:12, 12] = True
        return found


class NoPositions(Good):
    """Counts positions itself."""

    def forward(self, embeds: Any, layout: Any, cache: Any = None) -> Any:
        if cache is None and layout.lengths is None and layout.positions.shape == embeds.shape[:2]:
            layout = SimpleNamespace(positions=torch.arange(embeds.shape[1]).expand(embeds.shape[:2]), lengths=None)
        return super().forward(embeds, layout, cache)


class OneLength(Good):
    """One length of the cache for all rows."""

    def forward(self, embeds: Any, layout: Any, cache: Any = None) -> Any:
        if cache is not None and layout.positions.shape == embeds.shape[:2]:
            begun = getattr(cache, "begun", 0)
            cache.begun = begun + embeds.shape[1]
            layout = SimpleNamespace(
                positions=torch.arange(begun, cache.begun).expand(embeds.shape[:2]).contiguous(), lengths=None
            )
        return super().forward(embeds, layout, cache)


class SharedCache(Good):
    """Gives out one cache for all."""

    def new_cache(self, rows: int, length: int) -> Any:
        held = self.__dict__.setdefault("caches", {})
        return held.setdefault((rows, length), super().new_cache(rows, length))


class Unties(Good):
    """Resizing makes two weights of one."""

    def __init__(self, width: int, vocabulary: int) -> None:
        super().__init__(width, vocabulary)
        self.head.weight = self.words.weight


class Thaws(Good):
    """Resizing makes frozen weights trainable."""

    def resize_vocabulary(self, size: int) -> None:
        super().resize_vocabulary(size)
        self.requires_grad_(True)


class LeavesOutBlock(Good):
    """Names one block of two."""

    def blocks(self) -> Any:
        return list(self.layers)[:1]


class Probabilities(Good):
    """Gives probabilities in place of logits."""

    def text_logits(self, hidden: Any) -> Any:
        return super().text_logits(hidden).softmax(-1)


class CutsGradient(Good):
    """Looks ids up without a gradient."""

    def embed(self, ids: Any) -> Any:
        return super().embed(ids).detach()


class ChangesEmbeds(Good):
    """Scales what it is given in place."""

    def forward(self, embeds: Any, layout: Any, cache: Any = None) -> Any:
        if not embeds.requires_grad:
            embeds *= 2
        return super().forward(embeds, layout, cache)


class DrawsAnew(Good):
    """Resizing draws every row anew."""

    @torch.no_grad()
    def resize_vocabulary(self, size: int) -> None:
        super().resize_vocabulary(size)
        self.words.weight.normal_()


class OneBlock(Good):
    """Names blocks that the forward does not run."""

    def __init__(self, width: int, vocabulary: int) -> None:
        super().__init__(width, vocabulary)
        self.norm2 = nn.LayerNorm(width)

    def text_logits(self, hidden: Any) -> Any:
        return super().text_logits(self.norm2(hidden))

    def blocks(self) -> Any:
        return [self.norm2, *self.layers]


class ExtraRows(Good):
    """Has more text logits than the vocabulary has rows."""

    def __init__(self, width: int, vocabulary: int) -> None:
        super().__init__(width, vocabulary + 3)
        self.vocabulary = vocabulary


for _name, _value in [(n, v) for n, v in globals().items() if isinstance(v, type)]:
    globals()[f"build_{_name}"] = lambda options, context, *, vocabulary, made=_value: made(32, vocabulary)
