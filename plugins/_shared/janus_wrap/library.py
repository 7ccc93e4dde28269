"""What is asked of a library of vision models."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any, Protocol, cast

from torch import Tensor, nn

from janus_wrap.options import Facts, WrapOptions

MODULES = {
    "timm": "janus_wrap.timm_models",
    "open_clip": "janus_wrap.open_clip_models",
    "transformers": "janus_wrap.transformers_models",
}

PREFIXED = 8
"""No model has more class and register tokens."""


class Library(Protocol):
    """A module of this package: one a library."""

    def build_trunk(self, facts: Facts, image_size: int, config: dict[str, Any]) -> nn.Module:
        """The model with random weights, without classifier; works under ``torch.device("meta")``.

        Raises:
            ValueError: the library refuses the size or the settings.
        """
        ...

    def tokens(self, trunk: nn.Module, pixels: Tensor) -> Tensor:
        """[B, 3, S, S] -> patches or cells in raster order, [B, N, width], without class and register tokens."""
        ...

    def load_weights(self, trunk: nn.Module, options: WrapOptions, folder: Path) -> None:
        """Read ``options.weights`` strictly; `WeightsError` if they cannot be read or do not fit."""
        ...


def library(name: str) -> Library:
    """The module of a library; imports it."""
    return cast(Library, importlib.import_module(MODULES[name]))


def raster(found: Tensor, *, channels_last: bool = False) -> Tensor:
    """A map [B, C, h, w] (or [B, h, w, C]) -> [B, h * w, C]."""
    return found.flatten(1, 2) if channels_last else found.flatten(2).transpose(1, 2)


def square_prefix(count: int) -> int:
    """How many of ``count`` tokens stand before a square of patches, where the model does not say it."""
    prefix = count - math.isqrt(count) ** 2
    if prefix > PREFIXED:
        raise ValueError(f"{count} tokens are no square of patches with up to {PREFIXED} tokens before it")
    return prefix
