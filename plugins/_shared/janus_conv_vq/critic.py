"""The critic of VQGAN's adversarial loss: taming's PatchGAN, with the hinge loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def build_critic(width: int, layers: int, image_size: int) -> nn.Module:
    """taming's ``NLayerDiscriminator`` with its own initial weights: [B, 3, H, W] -> verdicts [B, 1, h, w].

    Raises:
        ValueError: pictures of ``image_size`` are too small for so many layers, or taming-transformers is missing.
    """
    if image_size >> layers < 3:  # each layer halves the side, and two more take one place each
        most = max((n for n in range(1, layers) if image_size >> n >= 3), default=0)
        raise ValueError(
            f"pictures of {image_size} pixels are too small for critic_layers {layers}: "
            + (f"use {most}" if most else "use larger pictures, or adversarial 0")
        )
    try:
        from taming.modules.discriminator.model import NLayerDiscriminator, weights_init
    except ImportError as error:
        raise ValueError(
            "the adversarial loss needs taming-transformers: pip install taming-transformers, or set adversarial to 0"
        ) from error
    critic: nn.Module = NLayerDiscriminator(3, ndf=width, n_layers=layers)
    return critic.apply(weights_init)


def hinge(real: Tensor, drawn: Tensor) -> Tensor:
    """The critic's loss: half of mean max(0, 1 - real) + mean max(0, 1 + drawn)."""
    return 0.5 * (F.relu(1 - real.float()).mean() + F.relu(1 + drawn.float()).mean())


def adaptive_weight(picture_loss: Tensor, verdict_loss: Tensor, kernel: Tensor) -> Tensor:
    """How much longer the gradient of ``picture_loss`` is at ``kernel``, from 0 to 1e4 (Esser et al. 2012.09841, eq. 7;
    the code's 1e-4 under the fraction); a scalar without gradient."""
    picture, verdict = (
        torch.autograd.grad(loss, kernel, retain_graph=True)[0].norm() for loss in (picture_loss, verdict_loss)
    )
    weight: Tensor = (picture / (verdict + 1e-4)).clamp(0.0, 1e4).detach()
    return weight
