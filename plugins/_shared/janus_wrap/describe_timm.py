"""``--wrap timm:MODEL`` or ``timm:MODEL.TAG``."""

from __future__ import annotations

from typing import Any

import timm

from janus_core.scaffold.wraps import Wrapped
from janus_open_clip.facts import Resize
from janus_wrap.describe import unknown_model, wrapped
from janus_wrap.options import Facts

TINY: tuple[dict[str, Any], ...] = (
    {"embed_dim": 32, "depth": 2, "num_heads": 2},
    {"embed_dim": 16, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2], "window_size": 2},
    {"depths": [1, 1, 1, 1], "dims": [8, 16, 32, 32]},
    {"layers": [1, 1, 1, 1], "channels": [16, 32, 32, 32]},
    {"layers": [1, 1, 1, 1]},
)
"""Transformers, Swin, ConvNeXt, ResNet; other models are tried whole."""


def describe(model: str) -> Wrapped:
    """A model of timm; without a tag, timm's default one is written out. `UserError` if there is no such model."""
    architecture = model.partition(".")[0]
    if not timm.is_model(architecture) or (model != architecture and model not in timm.list_pretrained()):
        raise unknown_model("timm", model, [*timm.list_models(), *timm.list_pretrained()])
    known: Any = timm.get_pretrained_cfg(model)
    full = f"{architecture}.{known.tag}" if known.tag else architecture
    facts = Facts(
        library="timm",
        model=full,
        image_size=int(known.input_size[-1]),
        mean=tuple(known.mean),
        std=tuple(known.std),
        interpolation="bilinear" if known.interpolation == "bilinear" else "bicubic",
        resize=_resize(architecture, known.crop_mode),
    )
    return wrapped(
        facts,
        TINY,
        distribution="timm",
        requires=("timm>=1.0.31",),
        licence=known.license or "",
        weights={"`tag`": f"those of timm's {full}", "`hf-hub:ORG/NAME`": "a repository with timm's names of weights",
                 "a file or folder": "`.safetensors`, `.pt`, `.bin`"},
    )  # fmt: skip


def _resize(architecture: str, crop: str) -> Resize:
    """timm says ``center`` of SigLIP, too, which was trained on squashed pictures (arXiv:2303.15343, big_vision)."""
    return "squash" if crop == "squash" or "siglip" in architecture else "shortest"
