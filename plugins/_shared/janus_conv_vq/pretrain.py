"""Train a convolutional tokenizer alone: reconstruction and codebook losses, with the numbers worth watching."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from janus_conv_vq.options import PretrainingOptions
from janus_conv_vq.quantize import Codebook, Quantized, precise, usage


class Reconstructs(Protocol):
    """A module that maps pixels to pixels through codes."""

    quantize: Codebook

    def reconstruct(self, pixels: Tensor) -> tuple[Tensor, Quantized]: ...

    def named_parameters(self) -> Any: ...


class VQPretraining:
    """Losses of a VQ tokenizer: L1 + MSE + commitment (+ codebook where it learns by gradient); a `Pretrainable`."""

    def __init__(self, tokenizer: Reconstructs, options: PretrainingOptions) -> None:
        self.tokenizer, self.options = tokenizer, options

    def optimizer_groups(self) -> list[dict[str, Any]]:
        """Kernels and matrices, with the optimiser's own weight decay; the rest (biases, norms, codebook) without."""
        codebook = {id(parameter) for parameter in self.tokenizer.quantize.parameters()}
        groups: tuple[list[nn.Parameter], list[nn.Parameter]] = ([], [])
        for _, parameter in self.tokenizer.named_parameters():
            if parameter.requires_grad:
                groups[parameter.ndim < 2 or id(parameter) in codebook].append(parameter)
        decaying, still = groups
        return [{"params": decaying}, *([{"params": still, "weight_decay": 0.0}] if still else [])]

    def losses(self, batch: Mapping[str, Any], step: int) -> dict[str, Tensor]:
        """``loss`` to minimise; its parts; ``psnr`` (dB), ``usage`` and ``perplexity`` of the codes of this batch."""
        del step
        pixels: Tensor = batch["inputs"]
        drawn, quantized = self.tokenizer.reconstruct(pixels)
        error = precise(drawn) - precise(pixels)
        parts = {
            "absolute": error.abs().mean(),
            "squared": error.square().mean(),
            "commitment": quantized.commitment,
        }
        if quantized.codebook is not None:
            parts["codebook"] = quantized.codebook
        loss = torch.stack([getattr(self.options, name) * value for name, value in parts.items()]).sum()
        logged = {name: value.detach() for name, value in parts.items()}
        watched = usage(quantized.codes, self.tokenizer.quantize.size)
        return {"loss": loss, **logged, "psnr": psnr(drawn.detach(), pixels), **watched}


def psnr(drawn: Tensor, pixels: Tensor) -> Tensor:
    """Mean over the pictures of the peak signal-to-noise ratio in dB; pixels in [-1, 1], so the peak is 2."""
    error = (precise(drawn).clamp(-1, 1) - precise(pixels)).square().flatten(1).mean(1)
    return (10 * torch.log10(4 / error.clamp(min=1e-10))).mean()
