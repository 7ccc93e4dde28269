"""``--wrap open_clip:MODEL`` or ``open_clip:MODEL:TAG``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import open_clip
import timm
import torch
from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model

from janus_core.errors import UserError
from janus_core.scaffold.wraps import Wrapped
from janus_open_clip.facts import CLIP, Preprocessing
from janus_open_clip.tower import check_activation
from janus_registry.errors import did_you_mean
from janus_wrap.describe import unknown_model, wrapped
from janus_wrap.open_clip_models import build_trunk
from janus_wrap.options import Facts

TINY: tuple[dict[str, Any], ...] = (
    {"layers": 2, "width": 32, "head_width": 16},
    {"layers": [1, 1, 1, 1], "width": 16},
)
"""open_clip's own transformers and ResNets."""


def describe(model: str) -> Wrapped:
    """A vision tower of open_clip.

    Raises:
        UserError: no such model or tag; tags that differ in how pixels are prepared, of which none is named; a tag
            whose weights ask for another activation.
    """
    name, _, tag = model.partition(":")
    if name not in open_clip.list_models():
        raise unknown_model("open_clip", name, open_clip.list_models())
    tags = list_pretrained_tags_by_model(name)
    if tag and tag not in tags:
        known = ", ".join(tags) or "it has none"
        raise UserError(f"--wrap open_clip:{model}: there is no tag {tag!r}{did_you_mean(tag, tags)}", f"tags: {known}")
    vision = open_clip.get_model_config(name)["vision_cfg"]
    if tag and "timm_model_name" not in vision and isinstance(vision.get("layers"), int):  # others have no QuickGELU
        try:
            check_activation(name, tag)
        except ValueError as error:
            raise UserError(f"--wrap open_clip:{model}: {error}", "write that name in place of it") from error
    prepared = _prepared(name, [tag] if tag else tags)
    side = vision.get("image_size", 224)
    facts = Facts(
        library="open_clip",
        model=name,
        tag=tag,
        image_size=side if isinstance(side, int) else side[0],
        mean=prepared.mean,
        std=prepared.std,
        interpolation=prepared.interpolation,
        resize=prepared.resize,
    )
    published = {"`tag`": f"open_clip's {name}:{tag}"} if tag else {}
    return wrapped(
        facts,
        _small_trunk(facts) if "timm_model_name" in vision else TINY,
        distribution="open-clip-torch",
        requires=("open-clip-torch>=3.3,<4", "timm>=1.0.31"),
        weights={
            **published,
            "`hf-hub:ORG/NAME`": "a repository of open_clip's",
            "a file or folder": "with open_clip's names of weights",
        },
    )


def _prepared(name: str, tags: Sequence[str]) -> Preprocessing:
    """How the tags prepare pixels; OpenAI-CLIP's way for a model without any."""
    found: dict[Preprocessing, list[str]] = {}
    for tag in tags:
        known = get_pretrained_cfg(name, tag)
        way = Preprocessing(tuple(known["mean"]), tuple(known["std"]), known["interpolation"], known["resize_mode"])
        found.setdefault(way, []).append(tag)
    if len(found) > 1:
        groups = "; ".join(", ".join(group) for group in found.values())
        raise UserError(
            f"--wrap open_clip:{name}: its tags do not prepare pixels alike: {groups}",
            f"name one, such as open_clip:{name}:{tags[0]}",
        )
    return next(iter(found), CLIP)


def _small_trunk(facts: Facts) -> list[dict[str, Any]]:
    """A small timm model of the same class as the tower's, where timm has one."""
    with torch.device("meta"):
        tower: Any = build_trunk(facts, facts.image_size, {})
        for name in (*timm.list_models("test_*"), "eva02_tiny_patch14_224"):
            if type(timm.create_model(name)) is type(tower.trunk):
                return [{"timm_model_name": name}]
    return []
