"""Builds the towers of timm and reads their weights."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import eva, vision_transformer
from torch import Tensor, nn

from janus_core.interfaces import BuildContext
from janus_open_clip.preprocess import ImageTransform
from janus_open_clip.tower import VisionTower
from janus_open_clip.weights import RANDOM, WeightsError, from_timm, load_strict, locate, read
from janus_timm_towers.facts import Tower
from janus_timm_towers.options import TimmOptions

CUSTOM_BASES = {
    "clip": "vit_base_patch16_clip_quickgelu_224",
    "dinov2": "vit_small_patch14_reg4_dinov2",
    "dinov3": "vit_small_patch16_dinov3",
}
"""The timm model that custom sizes vary: the same class, activation, norms, prefix tokens and positions."""

UNUSED = ("head.",)
"""Published tensors that patch tokens do not need: CLIP's projection. timm's conversion leaves out DINO's mask."""

POSITIONS = ("pos_embed", "visual.positional_embedding")
"""How the names of position embeddings end: timm's and Meta's, OpenAI's."""


def build_trunk(options: TimmOptions) -> nn.Module:
    """The timm model with random weights, at the input size of the options, checked against the declared sizes."""
    changed: dict[str, Any] = {}
    name = options.model
    if options.custom is not None:
        sizes, name = options.custom, CUSTOM_BASES[options.kind]
        changed = {
            "patch_size": sizes.patch_size,
            "embed_dim": sizes.width,
            "depth": sizes.depth,
            "num_heads": sizes.heads,
            "mlp_ratio": sizes.mlp_ratio,
        }
    trunk: Any = timm.create_model(name, pretrained=False, num_classes=0, img_size=options.side, **changed)
    declared = options.tower()
    native = declared.image_size  # timm no longer knows it: the trunk was built for options.side
    real = Tower(
        declared.kind,
        native,
        int(trunk.patch_embed.patch_size[0]),
        int(trunk.embed_dim),
        len(trunk.blocks),
        int(trunk.num_prefix_tokens),
    )
    if real != declared:
        raise ValueError(f"model {name!r} is declared as {declared}, but timm builds {real}")
    return trunk  # type: ignore[no-any-return]


def load_weights(trunk: nn.Module, options: TimmOptions, folder: Path) -> None:
    """Read ``options.weights`` into the trunk, with timm's conversion of OpenAI's and Meta's own names.

    Position embeddings are interpolated if ``image_size`` asks for it.

    Raises:
        WeightsError: unreadable, or not this model's: every missing, unexpected and misshapen key at once.
    """
    if options.weights == RANDOM:
        return
    name = "the custom sizes" if options.custom else f"{options.model}.{options.tag}"
    # A QuickGELU model reads the file of the plain one: timm publishes it under that name alone.
    published = f"timm/{options.model.replace('_quickgelu', '')}.{options.tag}"
    path = locate(options.weights, folder, published=name, fetch=lambda: from_timm(published))
    tensors = read(path)
    _check_sizes(tensors, options, path, name)
    convert: Any = eva if isinstance(trunk, eva.Eva) else vision_transformer
    with contextlib.redirect_stdout(io.StringIO()):  # timm prints a line for each bias that DINOv3 does without
        tensors = convert.checkpoint_filter_fn(tensors, trunk)
    kept = {key: value for key, value in tensors.items() if not key.startswith(UNUSED)}
    load_strict(trunk, kept, path=path, model=name)


def _check_sizes(tensors: Mapping[str, Tensor], options: TimmOptions, path: Path, name: str) -> None:
    """Refuse what timm would interpolate without a word: another model's patches, or its positions."""
    sizes = options.tower()
    patch = next((value for value in tensors.values() if value.ndim == 4), None)
    if patch is not None and patch.shape[-1] != sizes.patch_size:
        raise WeightsError(
            f"weights {path} have patches of {patch.shape[-1]} pixels, {name} has {sizes.patch_size}: "
            "name the model that the file belongs to"
        )
    sides = {size // sizes.patch_size for size in (sizes.image_size, options.side)}
    allowed = {side * side + extra for side in sides for extra in (0, 1)}  # with or without the class token
    for key, value in tensors.items():
        if key.endswith(POSITIONS) and value.shape[-2] not in allowed:
            raise WeightsError(
                f"weights {path} have {value.shape[-2]} positions ({key}), {name} needs one of {sorted(allowed)}: name "
                "the model that the file belongs to; image_size sets another size of the input"
            )


def build(options: TimmOptions, context: BuildContext) -> VisionTower:
    """The encoder with the weights that the options name; `WeightsError` if they do not fit."""
    trunk = build_trunk(options)
    if not context.skip_weights and torch.get_default_device().type != "meta":
        load_weights(trunk, options, context.folder)
    return VisionTower(trunk, layer=options.layer, norm=options.apply_norm(), pool=options.pool)


def build_transform(options: TimmOptions, context: BuildContext) -> ImageTransform:
    """The preprocessing that the model and tag need, whatever the weights are."""
    return options.transform()
