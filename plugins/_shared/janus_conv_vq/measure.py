"""How well a tokenizer draws what it read, and how it uses its codes, over a whole set of pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from janus_conv_vq.quantize import count_codes, precise, usage

RANGE = 2.0
"""Largest less smallest value of a pixel: pictures are in [-1, 1]."""
PERFECT = 100.0
"""PSNR in dB that an exact picture is given, so that a mean stays finite."""


def psnr(drawn: Tensor, pixels: Tensor) -> Tensor:
    """Mean over the pictures of the peak signal-to-noise ratio in dB; pixels in [-1, 1], so the peak is 2."""
    error = (precise(drawn).clamp(-1, 1) - precise(pixels)).square().flatten(1).mean(1)
    return (10 * torch.log10(4 / error.clamp(min=1e-10))).mean()


class Measures:
    """Sums over pictures; the histograms of codes are of the whole set, since perplexities of batches do not average.

    Args:
        codebooks: sizes of the codebooks at each position.
    """

    def __init__(self, codebooks: Sequence[int]) -> None:
        self.pictures, self._psnr, self._ssim = 0, 0.0, 0.0
        self._counts = [torch.zeros(size, dtype=torch.int64) for size in codebooks]

    def add(self, drawn: Tensor, pixels: Tensor, codes: Tensor) -> None:
        """Two of [B, 3, H, W] in [-1, 1], what is drawn is clamped; codes int64 [B, N] or [B, N, C]."""
        drawn, pixels = precise(drawn).clamp(-1, 1), precise(pixels)
        ratio = peak_signal_noise_ratio(drawn, pixels, data_range=RANGE, dim=(1, 2, 3), reduction="none")
        likeness = structural_similarity_index_measure(drawn, pixels, data_range=RANGE, reduction="none")
        assert isinstance(likeness, Tensor)
        self._psnr += float(ratio.clamp(max=PERFECT).sum())
        self._ssim += float(likeness.sum())
        columns = codes.unbind(-1) if codes.ndim == 3 else (codes,)
        for counts, column in zip(self._counts, columns, strict=True):
            counts += count_codes(column, len(counts)).cpu()
        self.pictures += len(pixels)

    def result(self) -> dict[str, float]:
        """Means over the pictures of torchmetrics' PSNR (dB) and SSIM (11 x 11 Gaussian); the codebook's use.

        ``codebook_usage`` is the fraction of codes that occur; ``codebook_perplexity`` exp of the entropy of the
        histogram of all codes; both are means over the codebooks.
        """
        each = [usage(counts) for counts in self._counts]
        used = {f"codebook_{name}": sum(float(found[name]) for found in each) / len(each) for name in each[0]}
        return {
            "psnr_torchmetrics": self._psnr / self.pictures,
            "ssim_torchmetrics": self._ssim / self.pictures,
            **used,
        }
