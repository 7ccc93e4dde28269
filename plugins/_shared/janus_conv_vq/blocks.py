"""The residual pyramid of VQGAN (Esser et al. 2012.09841), shared by VQ-16 and MoVQGAN."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from janus_conv_vq.options import GROUPS

Norm = Callable[[int], nn.Module]


def swish(x: Tensor) -> Tensor:
    """x * sigmoid(x), rounded as the published models round it: ``silu`` differs in the last bit, and codes near a tie
    with it."""
    return x * torch.sigmoid(x)


class GroupNorm(nn.GroupNorm):
    """GroupNorm over 32 groups, eps 1e-6; the guide is not used."""

    def __init__(self, channels: int) -> None:
        super().__init__(GROUPS, channels, eps=1e-6)

    def forward(self, input: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, H, W] -> the same."""
        return super().forward(input)


class SpatialNorm(nn.Module):
    """GroupNorm scaled and shifted at every place by the code there (MoVQ, Zheng et al. 2209.09002, eq. 5)."""

    def __init__(self, channels: int, guide_channels: int) -> None:
        super().__init__()
        self.norm_layer = GroupNorm(channels)
        self.conv_y = nn.Conv2d(guide_channels, channels, 1)
        self.conv_b = nn.Conv2d(guide_channels, channels, 1)

    def forward(self, x: Tensor, guide: Tensor) -> Tensor:
        """[B, C, H, W] and the codes' vectors [B, D, h, w] -> [B, C, H, W]."""
        # A 1x1 convolution commutes with nearest upsampling: convolve at the size of the codes.
        scale, shift = (
            F.interpolate(conv(guide), size=x.shape[-2:], mode="nearest") for conv in (self.conv_y, self.conv_b)
        )
        return torch.addcmul(shift, self.norm_layer(x), scale)


class ResidualBlock(nn.Module):
    """norm, swish, 3x3 convolution, twice, plus the input (through a 1x1 convolution if the width changes)."""

    def __init__(self, width: int, out_width: int, norm: Norm = GroupNorm) -> None:
        super().__init__()
        self.norm1 = norm(width)
        self.conv1 = nn.Conv2d(width, out_width, 3, padding=1)
        self.norm2 = norm(out_width)
        self.conv2 = nn.Conv2d(out_width, out_width, 3, padding=1)
        if width != out_width:
            self.nin_shortcut = nn.Conv2d(width, out_width, 1)

    def forward(self, x: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, width, H, W] -> [B, out_width, H, W]."""
        h: Tensor = self.conv1(swish(self.norm1(x, guide)))
        h = self.conv2(swish(self.norm2(h, guide)))
        shortcut: Tensor = self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x
        return shortcut + h


class AttentionBlock(nn.Module):
    """Single-head attention over all places, plus the input."""

    def __init__(self, width: int, norm: Norm = GroupNorm) -> None:
        super().__init__()
        self.norm = norm(width)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(width, width, 1) for _ in range(4))

    def forward(self, x: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, width, H, W] -> the same."""
        h = self.norm(x, guide)
        q, k, v = (conv(h).flatten(2) for conv in (self.q, self.k, self.v))
        # Not scaled_dot_product_attention: see `swish`.
        share = torch.softmax(torch.bmm(q.transpose(1, 2), k) * h.shape[1] ** -0.5, dim=2)
        h = torch.bmm(v, share.transpose(1, 2)).view(x.shape)
        out: Tensor = self.proj_out(h)
        return x + out


class Downsample(nn.Module):
    """Half the side: 3x3 convolution of stride 2, padded right and below only."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, H / 2, W / 2]."""
        out: Tensor = self.conv(F.pad(x, (0, 1, 0, 1)))
        return out


class Upsample(nn.Module):
    """Twice the side: nearest neighbour, then a 3x3 convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, 2 H, 2 W], in the dtype of x."""
        out: Tensor = self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return out


@dataclass(frozen=True, slots=True)
class Names:
    """How a published checkpoint names the parts of the pyramid.

    Attributes:
        down, up: the lists of levels in the encoder and in the decoder.
        residual: the residual blocks of a level.
        middle: the three blocks at the lowest level.
        lowest_first: whether the decoder's levels are numbered in the order of execution, or by resolution.
    """

    down: str
    up: str
    residual: str
    middle: tuple[str, str, str]
    lowest_first: bool


class Level(nn.Module):
    """Residual blocks at one resolution, attention after each at the lowest, then a change of resolution."""

    def __init__(
        self, names: Names, residual: Sequence[nn.Module], attention: Sequence[nn.Module], **resample: nn.Module
    ) -> None:
        super().__init__()
        self._residual, self._resample = names.residual, tuple(resample)
        self.add_module(names.residual, nn.ModuleList(residual))
        self.attn = nn.ModuleList(attention)
        for name, module in resample.items():
            self.add_module(name, module)

    def forward(self, x: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, H, W] -> [B, C', H', W']."""
        for block, attention in zip_longest(getattr(self, self._residual), self.attn):
            x = block(x, guide)
            if attention is not None:
                x = attention(x, guide)
        for name in self._resample:
            x = getattr(self, name)(x)
        return x


def _middle(width: int, names: Names, norm: Norm) -> nn.ModuleDict:
    blocks = (ResidualBlock(width, width, norm), AttentionBlock(width, norm), ResidualBlock(width, width, norm))
    return nn.ModuleDict(dict(zip(names.middle, blocks, strict=True)))


class PyramidEncoder(nn.Module):
    """Pixels [B, 3, H, W] -> latents [B, latent, H / f, W / f]."""

    def __init__(self, base: int, multipliers: Sequence[int], blocks: int, latent: int, names: Names) -> None:
        super().__init__()
        self._levels = names.down
        width, lowest = base, len(multipliers) - 1
        self.conv_in = nn.Conv2d(3, base, 3, padding=1)
        levels = []
        for index, multiplier in enumerate(multipliers):
            out = base * multiplier
            residual = [ResidualBlock(width if j == 0 else out, out) for j in range(blocks)]
            attention = [AttentionBlock(out) for _ in range(blocks)] if index == lowest else []
            levels.append(
                Level(names, residual, attention, **({} if index == lowest else {"downsample": Downsample(out)}))
            )
            width = out
        self.add_module(names.down, nn.ModuleList(levels))
        self.mid = _middle(width, names, GroupNorm)
        self.norm_out = GroupNorm(width)
        self.conv_out = nn.Conv2d(width, latent, 3, padding=1)

    def forward(self, pixels: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, latent, H / f, W / f]."""
        x = self.conv_in(pixels)
        for level in getattr(self, self._levels):
            x = level(x)
        for block in self.mid.values():
            x = block(x)
        out: Tensor = self.conv_out(swish(self.norm_out(x)))
        return out


class PyramidDecoder(nn.Module):
    """Latents [B, latent, h, w] -> pixels [B, 3, f h, f w]; a norm may use a guide [B, D, h, w]."""

    def __init__(
        self,
        base: int,
        multipliers: Sequence[int],
        blocks: int,
        latent: int,
        names: Names,
        norm: Norm = GroupNorm,
    ) -> None:
        super().__init__()
        self._levels, self._lowest_first = names.up, names.lowest_first
        width, lowest = base * multipliers[-1], len(multipliers) - 1
        self.conv_in = nn.Conv2d(latent, width, 3, padding=1)
        self.mid = _middle(width, names, norm)
        levels = []
        for index in reversed(range(len(multipliers))):
            out = base * multipliers[index]
            residual = [ResidualBlock(width if j == 0 else out, out, norm) for j in range(blocks + 1)]
            attention = [AttentionBlock(out, norm) for _ in range(blocks + 1)] if index == lowest else []
            levels.append(Level(names, residual, attention, **({"upsample": Upsample(out)} if index else {})))
            width = out
        self.add_module(names.up, nn.ModuleList(levels if names.lowest_first else levels[::-1]))
        self.norm_out = norm(width)
        self.conv_out = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, latents: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, latent, h, w] -> [B, 3, f h, f w]."""
        x = self.conv_in(latents)
        for block in self.mid.values():
            x = block(x, guide)
        levels = getattr(self, self._levels)
        for level in levels if self._lowest_first else reversed(levels):
            x = level(x, guide)
        out: Tensor = self.conv_out(swish(self.norm_out(x, guide)))
        return out
