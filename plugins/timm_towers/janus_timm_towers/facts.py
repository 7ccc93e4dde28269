"""Sizes and preprocessing of the towers that ``clip``, ``dinov2`` and ``dinov3`` name, as data. Imports no torch.

Source: timm 1.0.31 (``default_cfgs`` and builders of ``vision_transformer.py`` and ``eva.py``); a test compares both
tables with the installed timm. The way to resize is not timm's: its crop of 0.9 is a habit of evaluation; CLIP and DINO
were evaluated on the whole shortest side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from janus_open_clip.facts import CLIP, Preprocessing, nearest

Kind = Literal["clip", "dinov2", "dinov3"]


@dataclass(frozen=True, slots=True)
class Tower:
    """Sizes of one timm model.

    Attributes:
        kind: the component that builds it.
        image_size: native side in pixels.
        patch_size: side of a patch in pixels.
        width: width of the feature tokens.
        depth: number of transformer blocks.
        prefix: class and register tokens, which are dropped.
    """

    kind: Kind
    image_size: int
    patch_size: int
    width: int
    depth: int
    prefix: int


IMAGENET = Preprocessing(
    mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), interpolation="bicubic", resize="shortest"
)
"""DINOv2, and DINOv3 trained on pictures of the web."""

SATELLITE = Preprocessing(
    mean=(0.430, 0.411, 0.296), std=(0.213, 0.156, 0.143), interpolation="bicubic", resize="shortest"
)
"""DINOv3 trained on satellite pictures (``sat493m``)."""

HALF_CLIP = replace(CLIP, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
"""LAION's ViT-L/14, unlike its siblings."""

DFN5B = replace(CLIP, resize="squash")
"""open_clip's preprocessing of Apple's DFN-5B."""

TOWERS: dict[str, Tower] = {
    "vit_base_patch32_clip_224": Tower("clip", 224, 32, 768, 12, 1),
    "vit_base_patch32_clip_256": Tower("clip", 256, 32, 768, 12, 1),
    "vit_base_patch16_clip_224": Tower("clip", 224, 16, 768, 12, 1),
    "vit_large_patch14_clip_224": Tower("clip", 224, 14, 1024, 24, 1),
    "vit_huge_patch14_clip_224": Tower("clip", 224, 14, 1280, 32, 1),
    "vit_giant_patch14_clip_224": Tower("clip", 224, 14, 1408, 40, 1),
    "vit_gigantic_patch14_clip_224": Tower("clip", 224, 14, 1664, 48, 1),
    "vit_base_patch32_clip_quickgelu_224": Tower("clip", 224, 32, 768, 12, 1),
    "vit_base_patch16_clip_quickgelu_224": Tower("clip", 224, 16, 768, 12, 1),
    "vit_large_patch14_clip_quickgelu_224": Tower("clip", 224, 14, 1024, 24, 1),
    "vit_large_patch14_clip_quickgelu_336": Tower("clip", 336, 14, 1024, 24, 1),
    "vit_huge_patch14_clip_quickgelu_224": Tower("clip", 224, 14, 1280, 32, 1),
    "vit_huge_patch14_clip_quickgelu_378": Tower("clip", 378, 14, 1280, 32, 1),
    "vit_small_patch14_dinov2": Tower("dinov2", 518, 14, 384, 12, 1),
    "vit_base_patch14_dinov2": Tower("dinov2", 518, 14, 768, 12, 1),
    "vit_large_patch14_dinov2": Tower("dinov2", 518, 14, 1024, 24, 1),
    "vit_giant_patch14_dinov2": Tower("dinov2", 518, 14, 1536, 40, 1),
    "vit_small_patch14_reg4_dinov2": Tower("dinov2", 518, 14, 384, 12, 5),
    "vit_base_patch14_reg4_dinov2": Tower("dinov2", 518, 14, 768, 12, 5),
    "vit_large_patch14_reg4_dinov2": Tower("dinov2", 518, 14, 1024, 24, 5),
    "vit_giant_patch14_reg4_dinov2": Tower("dinov2", 518, 14, 1536, 40, 5),
    "vit_small_patch16_dinov3": Tower("dinov3", 256, 16, 384, 12, 5),
    "vit_small_plus_patch16_dinov3": Tower("dinov3", 256, 16, 384, 12, 5),
    "vit_base_patch16_dinov3": Tower("dinov3", 256, 16, 768, 12, 5),
    "vit_large_patch16_dinov3": Tower("dinov3", 256, 16, 1024, 24, 5),
    "vit_huge_plus_patch16_dinov3": Tower("dinov3", 256, 16, 1280, 32, 5),
    "vit_7b_patch16_dinov3": Tower("dinov3", 256, 16, 4096, 40, 5),
}
"""timm's name -> sizes. A QuickGELU checkpoint stands under a ``quickgelu`` model only, whose activation it needs."""

TAGS: dict[tuple[str, str], Preprocessing] = {
    ("vit_base_patch32_clip_224", "laion2b"): CLIP,
    ("vit_base_patch16_clip_224", "laion2b"): CLIP,
    ("vit_large_patch14_clip_224", "laion2b"): HALF_CLIP,
    ("vit_huge_patch14_clip_224", "laion2b"): CLIP,
    ("vit_giant_patch14_clip_224", "laion2b"): CLIP,
    ("vit_gigantic_patch14_clip_224", "laion2b"): CLIP,
    ("vit_base_patch16_clip_224", "laion400m_e32"): CLIP,
    ("vit_large_patch14_clip_224", "laion400m_e32"): CLIP,
    ("vit_base_patch32_clip_224", "datacompxl"): CLIP,
    ("vit_base_patch32_clip_256", "datacompxl"): CLIP,
    ("vit_base_patch16_clip_224", "datacompxl"): CLIP,
    ("vit_large_patch14_clip_224", "datacompxl"): CLIP,
    ("vit_base_patch32_clip_quickgelu_224", "openai"): CLIP,
    ("vit_base_patch16_clip_quickgelu_224", "openai"): CLIP,
    ("vit_large_patch14_clip_quickgelu_224", "openai"): CLIP,
    ("vit_large_patch14_clip_quickgelu_336", "openai"): CLIP,
    ("vit_huge_patch14_clip_quickgelu_224", "dfn5b"): DFN5B,
    ("vit_huge_patch14_clip_quickgelu_378", "dfn5b"): DFN5B,
    **{(name, "lvd142m"): IMAGENET for name, tower in TOWERS.items() if tower.kind == "dinov2"},
    **{(name, "lvd1689m"): IMAGENET for name, tower in TOWERS.items() if tower.kind == "dinov3"},
    ("vit_large_patch16_dinov3", "sat493m"): SATELLITE,
    ("vit_7b_patch16_dinov3", "sat493m"): SATELLITE,
}
"""(timm's name, checkpoint tag) -> preprocessing."""


def tower(model: str, kind: Kind) -> Tower:
    """The sizes of a model of this component; `ValueError` with the nearest name if there is none."""
    found = TOWERS.get(model)
    if found is None or found.kind != kind:
        raise ValueError("model " + nearest(model, (name for name, known in TOWERS.items() if known.kind == kind)))
    return found


def preprocessing(model: str, tag: str) -> Preprocessing:
    """The preprocessing of a checkpoint; `ValueError` with the nearest tag if the model has no such tag."""
    found = TAGS.get((model, tag))
    if found is None:
        raise ValueError(f"tag of model {model!r}: " + nearest(tag, (t for name, t in TAGS if name == model)))
    return found
