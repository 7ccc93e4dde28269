"""Train a convolutional tokenizer alone: the losses of VQGAN and LlamaGen, and the numbers worth watching."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from janus_conv_vq.critic import adaptive_weight, build_critic, hinge
from janus_conv_vq.measure import Measures, psnr
from janus_conv_vq.options import VQLosses
from janus_conv_vq.perceptual import Perceptual
from janus_conv_vq.quantize import Quantized, precise, unit, usage_of
from janus_conv_vq.tokenizer import ConvTokenizer
from janus_core.interfaces import BuildContext

PICTURE = ("absolute", "squared", "perceptual")
"""The losses that compare pixels; the adaptive weight is measured against them."""


class VQPretraining(nn.Module):
    """A tokenizer with all that its training needs beside it: VGG16 and a critic. A `Pretrainable`.

    Attributes:
        notes: which losses are off although they have a weight.
    """

    def __init__(self, tokenizer: ConvTokenizer, options: VQLosses, context: BuildContext) -> None:
        """Build what the losses need; `ValueError` if a file does not fit, the pictures are too small, or a weight is
        given that this tokenizer has no loss for."""
        super().__init__()
        if "codebook" in options.model_fields_set and not tokenizer.quantize.by_gradient:
            raise ValueError("losses.codebook: the codes of this tokenizer learn from no loss: remove it")
        for name in ("commitment", "entropy"):
            if name in options.model_fields_set and name not in tokenizer.quantize.losses:
                raise ValueError(f"losses.{name}: this tokenizer's codes have no such loss: remove it")
        self.tokenizer, self.options = tokenizer, options
        self.notes: tuple[str, ...] = ()
        self.perceptual = Perceptual.load(options.vgg, context) if options.perceptual and options.vgg else None
        if options.perceptual and not options.vgg:
            self.notes = ("perceptual is off: losses.vgg names no weights of VGG16",)
        self.critic: nn.Module | None = None
        if options.adversarial:
            with torch.random.fork_rng(devices=[]):  # what a subclass draws does not depend on there being a critic
                self.critic = build_critic(options.critic_width, options.critic_layers, context.image_size)

    def optimizer_groups(self) -> list[dict[str, Any]]:
        """Kernels and matrices, with the optimiser's own weight decay; the rest (biases, norms, codebook) without; and
        the critic's, which minimise ``critic``."""
        codebook = {id(parameter) for parameter in self.tokenizer.quantize.parameters()}
        groups: tuple[list[nn.Parameter], list[nn.Parameter]] = ([], [])
        for module in self.generator():
            for parameter in module.parameters():
                if parameter.requires_grad:
                    groups[parameter.ndim < 2 or id(parameter) in codebook].append(parameter)
        decaying, still = groups
        found: list[dict[str, Any]] = [
            {"params": decaying},
            *([{"params": still, "weight_decay": 0.0}] if still else []),
        ]
        if self.critic is not None:
            found.append({"params": list(self.critic.parameters()), "weight_decay": 0.0, "loss": "critic"})
        return found

    def generator(self) -> list[nn.Module]:
        """The modules that minimise ``loss``."""
        return [self.tokenizer]

    def losses(self, batch: Mapping[str, Any], step: int) -> dict[str, Tensor]:
        """``loss``, and ``critic`` from `VQLosses.adversarial_start` on; their terms before weights; ``psnr`` (dB),
        ``usage`` and ``perplexity`` of the codes of this batch."""
        pixels: Tensor = batch["inputs"]
        drawn, quantized = self.tokenizer.reconstruct(pixels)
        terms = self.terms(pixels, drawn, quantized)
        loss = self.weighted(terms)
        told = {name: value.detach() for name, value in terms.items()}
        if self.critic is not None and step >= self.options.adversarial_start:
            weight = self.options.adversarial
            verdict = -self.critic(drawn).float().mean()
            told["adversarial"] = verdict.detach()
            if self.options.adaptive:
                pictures = self.weighted({name: terms[name] for name in PICTURE if name in terms})
                told["adaptive"] = adaptive_weight(pictures, verdict, self.tokenizer.last_kernel())
                loss = loss + weight * told["adaptive"] * verdict
            else:
                loss = loss + weight * verdict
            told["critic"] = weight * hinge(self.critic(pixels), self.critic(drawn.detach()))
        watched = usage_of(quantized.codes, self.tokenizer.codebooks)
        return {"loss": loss, **told, "psnr": psnr(drawn.detach(), pixels), **watched}

    def terms(self, pixels: Tensor, drawn: Tensor, quantized: Quantized) -> dict[str, Tensor]:
        """The losses of the generator by the names of their weights, without the adversarial one.

        Those of weight 0 are left out, but for the cheap ones, which are worth watching.
        """
        error = precise(drawn) - precise(pixels)
        found = {
            "absolute": error.abs().mean(),
            "squared": error.square().mean(),
        }
        if quantized.commitment is not None:
            found["commitment"] = quantized.commitment
        if self.perceptual is not None:
            found["perceptual"] = self.perceptual(drawn, pixels)
        if quantized.codebook is not None:
            found["codebook"] = quantized.codebook
        if self.options.entropy:
            table = self._table()  # of a part of the latents where the codebooks share them out
            parts = torch.split(quantized.latents, table.shape[1], dim=-1)
            each = [entropy_loss(part, table, self.options.entropy_temperature) for part in parts]
            found["entropy"] = torch.stack(each).mean()
        return found

    def weighted(self, terms: Mapping[str, Tensor]) -> Tensor:
        """The sum of the terms times their weights."""
        return torch.stack([getattr(self.options, name) * value for name, value in terms.items()]).sum()

    def _table(self) -> Tensor:
        table = self.tokenizer.quantize.table()
        return unit(table) if self.tokenizer.quantize.normalised else table

    @torch.no_grad()
    def measure(self, batches: Iterable[Mapping[str, Any]]) -> dict[str, float]:
        """Means of the terms over all pictures, ``loss`` without the adversarial term; see `Measures` for the rest."""
        sums: dict[str, float] = {}
        measures = Measures(self.tokenizer.codebooks)
        for batch in batches:
            pixels: Tensor = batch["inputs"]
            drawn, quantized = self.tokenizer.reconstruct(pixels)
            terms = self.terms(pixels, drawn, quantized)
            for name, value in {"loss": self.weighted(terms), **terms}.items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(pixels)
            measures.add(drawn, pixels, quantized.codes)
        return {**{name: value / measures.pictures for name, value in sums.items()}, **measures.result()}


def begin(tokenizer: ConvTokenizer, losses: VQLosses, context: BuildContext) -> VQPretraining:
    """What trains a convolutional tokenizer alone; `ValueError` if a file does not fit or pictures are too small."""
    return VQPretraining(tokenizer, losses, context)


def entropy_loss(latents: Tensor, table: Tensor, temperature: float) -> Tensor:
    """The mean entropy of the latents' shares of codes less the entropy of their mean (Yu et al. 2310.05737, eq. 5).

    A latent's shares are the softmax of its squared distances, negative, over ``temperature``; in nats.

    Args:
        latents: [B, N, D].
        table: the codes' vectors [K, D]; both get a gradient.
    """
    rows, columns = precise(latents).flatten(0, 1), precise(table)
    with torch.autocast(rows.device.type, enabled=False):  # the temperature magnifies what half types round away
        distances = rows.square().sum(1, keepdim=True) + columns.square().sum(1) - 2 * rows @ columns.T
        logs = F.log_softmax(-distances / temperature, dim=1)
        each = -(logs.exp() * logs).sum(1).mean()
        # A code that no latent is near has a mean share of 0, where the slope of the entropy is infinite.
        whole: Tensor = torch.special.entr(logs.exp().mean(0).clamp(min=1e-12)).sum()
        return each - whole
