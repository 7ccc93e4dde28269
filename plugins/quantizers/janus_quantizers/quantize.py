"""The quantizers of vector-quantize-pytorch under one contract: int64 codes [..., C], vectors, a straight-through step.

The library's own contracts differ (int32 ids without a loss, losses that are there in training mode only, an axis more
or less), and its buffers may be left out of the state: all of that ends here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from janus_conv_vq.quantize import Quantized, precise
from janus_quantizers.options import FSQOptions, LFQOptions, ResidualOptions

EXTRA = "pip install 'janus-umm[quantizers]'"


def library() -> Any:
    """The package ``vector_quantize_pytorch``; `ImportError` with the command that installs it."""
    try:
        import vector_quantize_pytorch
    except ImportError as error:
        raise ImportError(f"fsq, lfq and residual need vector-quantize-pytorch ({error}): {EXTRA}") from error
    return vector_quantize_pytorch


def _make(kind: str, settings: dict[str, Any]) -> nn.Module:
    with torch.device("cpu"):  # the library reads values while it builds, which the meta device has not
        made: nn.Module = getattr(library(), kind)(**settings)
    return made.to(torch.get_default_device())


class LibraryQuantizer(nn.Module):
    """What the three have in common.

    Attributes:
        sizes: codes of each codebook.
        width: length of a code's vector.
        losses: names of the losses of `VQLosses` that it can have.
    """

    losses: tuple[str, ...] = ()
    by_gradient = False
    normalised = False

    def __init__(self, kind: str, settings: dict[str, Any], sizes: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.sizes, self.width = sizes, width
        self.kind, self.settings = kind, settings
        self.library: Any = _make(kind, settings)
        self.register_load_state_dict_post_hook(_restore)  # type: ignore[no-untyped-call]

    def assign(self, latents: Tensor) -> Tensor:
        """[..., width] -> int64 [..., C]; changes no state, whatever the mode is."""
        raise NotImplementedError

    def lookup(self, codes: Tensor) -> Tensor:
        """int64 [..., C] -> float32 [..., width]."""
        raise NotImplementedError

    def forward(self, latents: Tensor) -> Quantized:
        """[B, width, h, w] -> codes and losses, for training."""
        raise NotImplementedError

    def table(self) -> Tensor:
        """The vectors [K, D] that the entropy loss compares the latents with."""
        raise NotImplementedError

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        """Move, but stay in fp32 when the rest becomes half: the library mixes the types of buffers and latents."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for module in self.modules():
            for name, buffer in module.named_buffers(recurse=False):
                if buffer.dtype in (torch.float16, torch.bfloat16):
                    setattr(module, name, buffer.float())
        return self

    @contextmanager
    def _still(self) -> Iterator[None]:
        """The library in eval mode: it learns from nothing."""
        mode = self.library.training
        self.library.eval()
        try:
            yield
        finally:
            self.library.train(mode)


def _restore(module: nn.Module, _: Any) -> None:
    """Compute the buffers anew that no state holds: ``to_empty`` leaves rubbish in them."""
    assert isinstance(module, LibraryQuantizer)
    saved = set(module.library.state_dict())
    with torch.random.fork_rng(devices=[]):
        fresh = dict(_make(module.kind, module.settings).named_buffers())
    with torch.no_grad():
        for name, buffer in module.library.named_buffers():
            if name not in saved and not buffer.is_meta:
                buffer.copy_(fresh[name])


def _flat(rows: Tensor) -> Tensor:
    """[..., D] -> float [1, M, D], as the library takes it."""
    return precise(rows).reshape(1, -1, rows.shape[-1])


def _through(rows: Tensor, vectors: Tensor) -> Tensor:
    """[B, h, w, D] twice -> the vectors [B, D, h, w] with the gradient of the latents."""
    return (rows + (vectors.to(rows.dtype) - rows).detach()).movedim(-1, 1).contiguous()


class FSQuantizer(LibraryQuantizer):
    """Each number is bounded by tanh and rounded to one of its levels (2309.15505): nothing is learnt."""

    def __init__(self, options: FSQOptions) -> None:
        levels, each = options.levels, len(options.levels) // options.codebooks
        super().__init__("FSQ", {"levels": list(levels)}, options.sizes, len(levels))
        steps = [1]  # how the library counts: the first level fastest
        for level in levels[:-1]:
            steps.append(steps[-1] * level)
        self._steps = tuple(steps[::each])

    def assign(self, latents: Tensor) -> Tensor:
        with torch.no_grad(), torch.autocast(latents.device.type, enabled=False):
            ids = self.library(_flat(latents))[1].long().view(latents.shape[:-1])
        return self._cut(ids)

    def lookup(self, codes: Tensor) -> Tensor:
        steps = torch.tensor(self._steps, device=codes.device)
        ids = (codes * steps).sum(-1)
        vectors: Tensor = self.library.indices_to_codes(ids.reshape(1, -1))
        return vectors.view(*codes.shape[:-1], self.width)

    def forward(self, latents: Tensor) -> Quantized:
        rows = latents.movedim(1, -1)
        with torch.autocast(latents.device.type, enabled=False):
            flat, ids = self.library(_flat(rows))  # its gradient goes through tanh
        vectors = flat.view(rows.shape).to(rows.dtype).movedim(-1, 1).contiguous()
        codes = self._cut(ids.long().view(rows.shape[:-1]))
        return Quantized(vectors, codes.flatten(1, 2), None, None, rows.flatten(1, 2))

    def _cut(self, ids: Tensor) -> Tensor:
        digits = [(ids // step) % size for step, size in zip(self._steps, self.sizes, strict=True)]
        return torch.stack(digits, -1)


class LFQuantizer(LibraryQuantizer):
    """The signs of the numbers are the code (Yu et al. 2310.05737): nothing is learnt."""

    losses = ("commitment", "entropy")

    def __init__(self, options: LFQOptions) -> None:
        size, count = options.sizes[0], options.codebooks
        settings = {"codebook_size": size, "num_codebooks": count, "keep_num_codebooks_dim": True}
        super().__init__("LFQ", settings, options.sizes, options.bits)

    def assign(self, latents: Tensor) -> Tensor:
        with torch.no_grad(), self._still(), torch.autocast(latents.device.type, enabled=False):
            ids = self.library(_flat(latents)).indices
        return ids.long().view(*latents.shape[:-1], len(self.sizes))  # type: ignore[no-any-return]

    def lookup(self, codes: Tensor) -> Tensor:
        vectors: Tensor = self.library.indices_to_codes(codes.reshape(1, -1, len(self.sizes)))
        return vectors.view(*codes.shape[:-1], self.width)

    def forward(self, latents: Tensor) -> Quantized:
        rows = latents.movedim(1, -1)
        codes = self.assign(rows)
        vectors = self.lookup(codes)
        commitment = F.mse_loss(precise(rows), vectors)
        return Quantized(_through(rows, vectors), codes.flatten(1, 2), commitment, None, rows.flatten(1, 2))

    def table(self) -> Tensor:
        return self.library.codebook  # type: ignore[no-any-return]


class ResidualQuantizer(LibraryQuantizer):
    """Each codebook holds what the ones before it left over; all follow the latents by moving averages."""

    losses = ("commitment",)

    def __init__(self, options: ResidualOptions) -> None:
        settings = {
            "dim": options.code_width,
            "codebook_size": options.sizes,
            "decay": options.decay,
            "threshold_ema_dead_code": options.restart_below,
            "rotation_trick": False,  # the gradient goes straight through, below
        }
        super().__init__("ResidualVQ", settings, options.sizes, options.code_width)

    def assign(self, latents: Tensor) -> Tensor:
        with torch.no_grad(), self._still(), torch.autocast(latents.device.type, enabled=False):
            ids = self.library(_flat(latents).float())[1]
        return ids.long().view(*latents.shape[:-1], len(self.sizes))  # type: ignore[no-any-return]

    def lookup(self, codes: Tensor) -> Tensor:
        # The library's own lookup (get_output_from_indices) refuses an empty batch.
        tables = self.library.codebooks
        return torch.stack([F.embedding(codes[..., c], tables[c]) for c in range(len(self.sizes))]).sum(0)

    def forward(self, latents: Tensor) -> Quantized:
        """As above; ``commitment`` is the sum over the codebooks of what is left after each (2203.01941, eq. 8)."""
        rows = latents.movedim(1, -1)
        tables = [table.clone() for table in self.library.codebooks]  # the call below moves them
        with torch.autocast(latents.device.type, enabled=False):
            ids = self.library(_flat(rows).detach().float())[1]
        codes = ids.long().view(*rows.shape[:-1], len(self.sizes))
        sums = torch.stack([F.embedding(codes[..., c], table) for c, table in enumerate(tables)]).cumsum(0)
        commitment = (precise(rows) - sums).square().flatten(1).mean(1).sum()
        return Quantized(_through(rows, sums[-1]), codes.flatten(1, 2), commitment, None, rows.flatten(1, 2))
