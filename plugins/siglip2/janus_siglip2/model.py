"""SigLIP 2 NaFlex through timm's ``NaFlexVit``: as many tokens as a picture has patches."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import naflexvit
from torch import Tensor, nn

from janus_core.interfaces import BuildContext, Features
from janus_open_clip.weights import RANDOM, from_timm, load_strict, locate, read
from janus_siglip2.options import Siglip2Options
from janus_siglip2.transform import NaFlexTransform

CUSTOM_BASE = "naflexvit_base_patch16_siglip"
"""The timm model that custom sizes vary."""


class NaFlexEncoder(nn.Module):
    """Patches with their places -> tokens after the final norm, with a mask where pictures differ in size."""

    modality: str = "image"

    def __init__(self, trunk: Any) -> None:
        super().__init__()
        self.trunk = trunk
        self.width = int(trunk.embed_dim)
        self.patch_width = int(trunk.embeds.proj.in_features)

    def forward(self, inputs: Mapping[str, Tensor]) -> Features:
        """What `NaFlexTransform.collate` gives -> tokens [B, N, width], mask [B, N], positions [B, N, 2].

        `ValueError` if the shapes do not fit each other or the model.
        """
        patches, real, places = inputs["patches"], inputs["real"], inputs["places"]
        expected = (*real.shape, self.patch_width)
        if real.ndim != 2 or patches.shape != expected or places.shape != (*real.shape, 2):
            raise ValueError(
                f"expected patches [B, N, {self.patch_width}], places [B, N, 2] and real [B, N], got "
                f"{list(patches.shape)}, {list(places.shape)} and {list(real.shape)}"
            )
        dtype = next(self.trunk.parameters()).dtype
        found = self.trunk.forward_features(patches.to(dtype), patch_coord=places, patch_valid=real)
        tokens: Tensor = found["patches"][:, int(self.trunk.num_prefix_tokens) :]
        return Features(tokens, real, places)


def build_trunk(options: Siglip2Options) -> nn.Module:
    """timm's model with random weights; works on the meta device."""
    if options.custom is None:
        trunk: nn.Module = timm.create_model(options.model, pretrained=False, num_classes=0)
    else:
        sizes = options.custom
        trunk = timm.create_model(
            CUSTOM_BASE,
            pretrained=False,
            num_classes=0,
            patch_size=sizes.patch_size,
            embed_dim=sizes.width,
            depth=sizes.depth,
            num_heads=sizes.heads,
            pos_embed_grid_size=(sizes.positions, sizes.positions),
        )
    return trunk


def load_weights(trunk: nn.Module, options: Siglip2Options, folder: Path) -> None:
    """Read ``options.weights`` into the trunk, strictly; `WeightsError` if they are absent or do not fit."""
    if options.weights == RANDOM:
        return
    name = "the custom sizes" if options.custom else f"{options.model}.{options.tag}"
    path = locate(options.weights, folder, published=name, fetch=lambda: from_timm(f"timm/{name}"))
    load_strict(trunk, naflexvit.checkpoint_filter_fn(read(path), trunk), path=path, model=name)


def build(options: Siglip2Options, context: BuildContext) -> NaFlexEncoder:
    """The encoder with the weights that the options name."""
    trunk = build_trunk(options)
    if not context.skip_weights and torch.get_default_device().type != "meta":
        load_weights(trunk, options, context.folder)
    encoder = NaFlexEncoder(trunk)
    if encoder.width != options.width:
        raise ValueError(f"model {options.model!r} is declared {options.width} wide, but timm builds {encoder.width}")
    return encoder


def build_transform(options: Siglip2Options, context: BuildContext) -> NaFlexTransform:
    """The preprocessing that SigLIP 2 NaFlex needs, whatever the weights are."""
    return NaFlexTransform(options.patch_size, options.max_patches)
