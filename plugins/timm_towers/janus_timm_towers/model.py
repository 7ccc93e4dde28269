"""Builds the towers of timm and reads their weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import eva, vision_transformer
from torch import nn

from janus_core.interfaces import BuildContext
from janus_open_clip.preprocess import ImageTransform
from janus_open_clip.tower import VisionTower
from janus_open_clip.weights import FOLDER, FOLDER_FILES, HUB, RANDOM, WeightsError, load_strict, read
from janus_timm_towers.facts import Tower
from janus_timm_towers.options import TimmOptions

CUSTOM_BASES = {
    "clip": "vit_base_patch16_clip_quickgelu_224",
    "dinov2": "vit_small_patch14_reg4_dinov2",
    "dinov3": "vit_small_patch16_dinov3",
}
"""The timm model that custom sizes vary: the same class, activation, norms, prefix tokens and positions."""

UNUSED = ("head.", "mask_token", "fc_norm.")
"""Published tensors that patch tokens do not need: CLIP's projection, DINO's mask."""


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
    """Read ``options.weights`` into the trunk, with timm's conversion of other people's names and its interpolation of
    position embeddings to another input size.

    Raises:
        WeightsError: unreadable, or not this model's: every missing, unexpected and misshapen key at once.
    """
    if options.weights == RANDOM:
        return
    path = _locate(options, folder)
    convert: Any = eva if isinstance(trunk, eva.Eva) else vision_transformer
    tensors = convert.checkpoint_filter_fn(read(path), trunk)
    kept = {key: value for key, value in tensors.items() if not key.startswith(UNUSED)}
    load_strict(trunk, kept, path=path, model="the custom sizes" if options.custom else options.model)


def _locate(options: TimmOptions, folder: Path) -> Path:
    weights = options.weights
    if weights == "tag" or weights.startswith(HUB):
        # A QuickGELU model reads the file of the plain one: timm publishes it under that name alone.
        published = f"timm/{options.model.replace('_quickgelu', '')}.{options.tag}"
        return _download(published if weights == "tag" else weights.removeprefix(HUB))
    if weights.startswith(FOLDER):
        place = folder / weights.removeprefix(FOLDER)
        found = [place / name for name in FOLDER_FILES if (place / name).is_file()]
        if not found:
            raise WeightsError(f"weights {weights!r}: {place} holds none of {', '.join(FOLDER_FILES)}")
        return found[0]
    path = folder / weights
    if not path.is_file():
        raise WeightsError(
            f"weights {weights!r}: there is no file {path}. Allowed: 'none' for random weights, 'tag' for the "
            "published ones, a file, 'local-dir:FOLDER' or 'hf-hub:ORG/NAME'"
        )
    return path


def _download(repository: str) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(repository, "model.safetensors"))
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise WeightsError(
            f"cannot download {repository}: {first}. Without a network, set weights to a file, to 'local-dir:FOLDER', "
            "or to 'none' for random weights"
        ) from error


def build(options: TimmOptions, context: BuildContext) -> VisionTower:
    """The encoder with the weights that the options name; `WeightsError` if they do not fit."""
    trunk = build_trunk(options)
    if not context.skip_weights and torch.get_default_device().type != "meta":
        load_weights(trunk, options, context.folder)
    return VisionTower(trunk, layer=options.layer, norm=options.apply_norm(), pool=options.pool)


def build_transform(options: TimmOptions, context: BuildContext) -> ImageTransform:
    """The preprocessing that the model and tag need, whatever the weights are."""
    return options.transform()
