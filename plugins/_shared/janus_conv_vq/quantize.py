"""Codebooks: nearest neighbour without a dense one-hot, straight-through gradient, losses and statistics of use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CELLS = 1 << 24
"""Distances held at a time in `nearest`: 64 MiB in fp32."""


@dataclass(frozen=True, slots=True)
class Quantized:
    """Latents replaced by codes, for training.

    Attributes:
        vectors: [B, code_width, h, w], the codes' vectors with the gradient passed straight through to the latents.
        codes: int64 [B, h * w], or [B, h * w, C] with several codebooks at a position.
        commitment: scalar, mean squared distance with the gradient on the latents, or None if there is no such loss.
        codebook: the same with the gradient on the codes, or None if the codebook learns without gradient.
        latents: [B, h * w, code_width] with gradient, as they were compared with the codes.
    """

    vectors: Tensor
    codes: Tensor
    commitment: Tensor | None
    codebook: Tensor | None
    latents: Tensor


def precise(x: Tensor) -> Tensor:
    """``x`` in fp32, or unchanged if it is fp32 or fp64: half types are too coarse for distances and norms."""
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def unit(x: Tensor) -> Tensor:
    """``x`` [..., D] with every row of length 1, in its own dtype."""
    return F.normalize(precise(x), dim=-1).to(x.dtype)


@torch.no_grad()
def nearest(latents: Tensor, table: Tensor) -> Tensor:
    """The row of ``table`` [K, D] nearest to each of ``latents`` [M, D]: int64 [M].

    Holds at most `CELLS` distances at a time and ignores autocast, so the codes depend on neither batch nor context.
    """
    with torch.autocast(latents.device.type, enabled=False):
        rows, columns = precise(latents), precise(table)
        dtype = torch.promote_types(rows.dtype, columns.dtype)
        rows, columns = rows.to(dtype), columns.to(dtype).T
        norms = columns.square().sum(0)
        step = max(1, CELLS // columns.shape[1])
        parts = [torch.addmm(norms, chunk, columns, alpha=-2).argmin(1) for chunk in torch.split(rows, step)]
        return torch.cat(parts) if parts else rows.new_zeros(0, dtype=torch.int64)


def count_codes(codes: Tensor, size: int) -> Tensor:
    """How often each of ``size`` codes occurs in ``codes``: int64 [size]."""
    return torch.bincount(codes.flatten(), minlength=size)


def usage(counts: Tensor) -> dict[str, Tensor]:
    """``usage``: the fraction of codes that occur; ``perplexity``: exp of the entropy of how often they do (nats).

    Args:
        counts: from `count_codes`; counts of several batches may be summed, their results may not be averaged.
    """
    share = counts.double() / counts.sum().clamp(min=1)
    return {
        "usage": (counts > 0).double().mean().float(),
        "perplexity": torch.special.entr(share).sum().exp().float(),
    }


def usage_of(codes: Tensor, sizes: Sequence[int]) -> dict[str, Tensor]:
    """`usage` of codes int64 [B, N] or [B, N, C] of codebooks of these sizes, the mean over the codebooks."""
    columns = codes.unbind(-1) if codes.ndim == 3 else (codes,)
    each = [usage(count_codes(column, size)) for column, size in zip(columns, sizes, strict=True)]
    return {name: torch.stack([found[name] for found in each]).mean() for name in each[0]}


class Codebook(nn.Module):
    """A table of vectors [size, width]; with ``normalised`` table and latents are compared and read at length 1.

    Attributes:
        by_gradient: whether a loss teaches the vectors; else they follow the latents by themselves.
        losses: names of those losses of `VQLosses` that it can have, beside those of the pixels.
    """

    by_gradient = True
    losses: tuple[str, ...] = ("commitment", "codebook", "entropy")

    def __init__(self, size: int, width: int, *, normalised: bool) -> None:
        super().__init__()
        self.size, self.width, self.normalised = size, width, normalised

    def table(self) -> Tensor:
        """The vectors as they are stored, [size, width]."""
        raise NotImplementedError

    def lookup(self, codes: Tensor) -> Tensor:
        """int64 [...] -> [..., width], of length 1 if ``normalised``."""
        vectors = F.embedding(codes, self.table())
        return unit(vectors) if self.normalised else vectors

    def assign(self, latents: Tensor) -> Tensor:
        """[..., width] -> the nearest code of each, int64 [...]."""
        table = precise(self.table())
        rows = precise(latents).reshape(-1, self.width)
        if self.normalised:
            table, rows = unit(table), unit(rows)
        return nearest(rows, table).view(latents.shape[:-1])

    def forward(self, latents: Tensor) -> Quantized:
        """[B, width, h, w] -> codes and losses, for training."""
        rows = latents.movedim(1, -1)
        if self.normalised:
            rows = unit(rows)
        self.prepare(rows)
        codes = self.assign(rows)
        vectors = self.lookup(codes)
        commitment = F.mse_loss(precise(rows), precise(vectors.detach()))
        codebook = F.mse_loss(precise(vectors), precise(rows.detach())) if self.by_gradient else None
        through = rows + (vectors - rows).detach()
        self.learn(rows, codes)
        return Quantized(
            through.movedim(-1, 1).contiguous(), codes.flatten(1), commitment, codebook, rows.flatten(1, 2)
        )

    def prepare(self, rows: Tensor) -> None:
        """Called with the latents [B, h, w, width] before they are assigned; nothing to do where a gradient teaches."""

    def learn(self, rows: Tensor, codes: Tensor) -> None:
        """Called with the latents and their codes [B, h, w]; nothing to do where a gradient teaches."""


class LearnedCodebook(Codebook):
    """A codebook that learns by gradient; state key ``embedding.weight``, as VQGAN and LlamaGen publish it."""

    def __init__(self, size: int, width: int, *, normalised: bool = False) -> None:
        super().__init__(size, width, normalised=normalised)
        self.embedding = nn.Embedding(size, width)
        with torch.no_grad():
            self.embedding.weight.uniform_(-1 / size, 1 / size)
            if normalised:
                self.embedding.weight.copy_(unit(self.embedding.weight))

    def table(self) -> Tensor:
        return self.embedding.weight


class MovingCodebook(Codebook):
    """A codebook of buffers that follows the latents by moving averages (van den Oord et al. 1711.00937, A.1).

    In training mode only: the first batch fills the table with latents of its own, and a code whose average use falls
    below ``restart_below`` of an even share is put onto a latent of the batch, drawn in proportion to its squared
    distance from its code, so that restarts go where codes are lacking. Draws come from torch's global CPU generator,
    equally many every step, so a run is repeatable. Over ranks, sums are reduced and rank 0 draws.

    Buffers: ``vectors`` [size, width]; ``counts`` [size], average use over an even share; ``sums`` [size, width], the
    average of the latents at that use; ``ready``, whether the first batch was seen.
    """

    by_gradient = False
    losses = ("commitment", "entropy")
    vectors: Tensor
    counts: Tensor
    sums: Tensor
    ready: Tensor

    def __init__(self, size: int, width: int, *, normalised: bool, decay: float, restart_below: float) -> None:
        super().__init__(size, width, normalised=normalised)
        self.decay, self.restart_below = decay, restart_below
        vectors = torch.randn(size, width)
        vectors = unit(vectors) if normalised else vectors / size
        self.register_buffer("vectors", vectors)
        self.register_buffer("counts", torch.ones(size))
        self.register_buffer("sums", vectors.clone())
        self.register_buffer("ready", torch.zeros((), dtype=torch.bool))

    def table(self) -> Tensor:
        return self.vectors

    @torch.no_grad()
    def prepare(self, rows: Tensor) -> None:
        """Fill the table from the first batch that is seen in training mode."""
        if self.training and not bool(self.ready):
            flat = rows.reshape(-1, self.width)
            drawn = self._draw(flat, torch.ones_like(flat[:, 0]))
            self.vectors.copy_(drawn)
            self.sums.copy_(drawn)
            self.ready.fill_(True)

    @torch.no_grad()
    def learn(self, rows: Tensor, codes: Tensor) -> None:
        """Move the codes towards the mean of their latents, and put dead codes onto latents (training mode only)."""
        if not self.training:
            return
        flat, ids = rows.reshape(-1, self.width).to(self.sums.dtype), codes.flatten()
        counts = torch.bincount(ids, minlength=self.size).to(self.counts.dtype)
        sums = torch.zeros_like(self.sums).index_add_(0, ids, flat)
        for tensor in (counts, sums):
            _sum_over_ranks(tensor)
        share = self.size / counts.sum()
        self.counts.lerp_(counts * share, 1 - self.decay)
        self.sums.lerp_(sums * share, 1 - self.decay)
        distance = (flat - self.lookup(ids)).square().sum(1)
        moved = unit(self.sums) if self.normalised else self.sums / self.counts.clamp(min=1e-6)[:, None]
        dead = self.counts < self.restart_below
        drawn = self._draw(flat, distance)[(dead.cumsum(0) - 1).clamp(min=0)]
        self.counts.masked_fill_(dead, 1.0)
        self.sums.copy_(torch.where(dead[:, None], drawn, self.sums))
        self.vectors.copy_(torch.where(dead[:, None], drawn, moved))

    def _draw(self, rows: Tensor, weight: Tensor) -> Tensor:
        """As many latents as there are codes, likelier by ``weight``, repeated only if too few; from rank 0."""
        gumbel = -torch.empty(len(rows)).exponential_().log()
        order = (weight.clamp(min=1e-12).log() + gumbel.to(weight)).argsort(descending=True)
        drawn = rows[order.repeat(-(-self.size // len(rows)))[: self.size]].to(self.sums.dtype)
        if _ranks() > 1:
            torch.distributed.broadcast(drawn, 0)
        return drawn


def _ranks() -> int:
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_world_size() if distributed else 1


def _sum_over_ranks(tensor: Tensor) -> None:
    if _ranks() > 1:
        torch.distributed.all_reduce(tensor)
