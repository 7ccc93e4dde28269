"""A vision tower alone, without the text tower that open_clip builds beside it, as an understanding encoder."""

from __future__ import annotations

from typing import Any

import open_clip
import timm
import torch
from open_clip.model import _build_vision_tower
from open_clip.pretrained import get_pretrained_cfg, is_pretrained_cfg, list_pretrained_tags_by_model
from torch import Tensor, nn

from janus_core.interfaces import Features
from janus_open_clip.facts import Architecture, nearest
from janus_open_clip.options import CustomSizes, TowerOptions


class VisionTower(nn.Module):
    """Pixels [B, 3, S, S] -> patch tokens [B, N, width] in raster order; prefix (class) tokens are dropped.

    The weights lie under ``trunk.`` with timm's own names; what features do not need (attention pool, projection
    head) is kept there too, so that nothing of a published checkpoint is lost.
    """

    modality: str = "image"
    trunk: Any
    width: int
    image_size: int
    num_tokens: int
    grid: int
    pool: int
    layer: int
    norm: bool

    def __init__(self, trunk: Any, *, layer: int = -1, norm: bool = True, pool: int = 1) -> None:
        """Wrap a timm ``VisionTransformer`` or ``Eva``.

        Args:
            trunk: the timm model.
            layer: -k takes the output of the k-th block from the end; later blocks are kept but not run.
            norm: apply the trunk's final norm to that output.
            pool: average over pool x pool patches; must divide the grid.
        """
        super().__init__()
        depth, side = len(trunk.blocks), int(trunk.patch_embed.grid_size[0])
        if not -depth <= layer <= -1:
            raise ValueError(f"layer {layer} is not possible: use -{depth} to -1")
        if pool < 1 or side % pool:
            raise ValueError(f"pool {pool} does not divide the {side} x {side} patches")
        self.trunk = trunk
        self.layer, self.norm, self.pool = layer, norm, pool
        self.depth, self.grid = depth, side
        self.width = int(trunk.embed_dim)
        self.image_size = int(trunk.patch_embed.img_size[0])
        self.num_tokens = (side // pool) ** 2
        self.register_load_state_dict_post_hook(_restore_rotary)  # type: ignore[no-untyped-call]

    def forward(self, pixels: Tensor) -> Features:
        """float [B, 3, S, S] -> tokens [B, N, width]; `ValueError` if the side is not S."""
        side = self.image_size
        if pixels.ndim != 4 or pixels.shape[1:] != (3, side, side):
            raise ValueError(f"expected pixels [B, 3, {side}, {side}], got {list(pixels.shape)}")
        pixels = pixels.to(self.trunk.patch_embed.proj.weight.dtype)
        tokens = self.patches(pixels)
        if self.pool > 1:
            tokens = average(tokens, self.grid, self.pool)
        return Features(tokens)

    def patches(self, pixels: Tensor) -> Tensor:
        """The patch tokens before pooling, [B, grid * grid, width]."""
        prefix = int(self.trunk.num_prefix_tokens)
        if self.layer == -1 and self.norm:
            features: Tensor = self.trunk.forward_features(pixels)
            return features[:, prefix:]
        # forward_intermediates drops the prefix tokens itself.
        layers: list[Tensor] = self.trunk.forward_intermediates(
            pixels,
            indices=[self.depth + self.layer],
            norm=self.norm,
            stop_early=True,
            output_fmt="NLC",
            intermediates_only=True,
        )
        return layers[0]


def average(tokens: Tensor, grid: int, pool: int) -> Tensor:
    """Means over pool x pool neighbours of a raster of tokens: [B, grid**2, C] -> [B, (grid // pool)**2, C]."""
    rows = grid // pool
    return tokens.view(len(tokens), rows, pool, rows, pool, -1).mean(dim=(2, 4)).flatten(1, 2)


def _restore_rotary(module: nn.Module, _: Any) -> None:
    """Compute EVA's rotary tables anew after a load: checkpoints lack them and ``to_empty`` leaves rubbish in them."""
    trunk: Any = module.trunk
    rotary, weight = getattr(trunk, "rope", None), trunk.patch_embed.proj.weight
    if rotary is None or weight.device.type == "meta":
        return
    if any(table.device != weight.device for table in rotary.buffers()):
        rotary.to_empty(device=weight.device)
    with torch.no_grad():
        rotary.init_non_persistent_buffers()


def check_activation(model: str, tag: str) -> None:
    """Refuse a checkpoint trained with QuickGELU under a model that computes exact GELU.

    open_clip only warns ("QuickGELU mismatch") and computes with the wrong activation; 27 of its (model, tag) pairs
    are listed that way. `ValueError` with the right name; also for an unknown model or tag.
    """
    config = open_clip.get_model_config(model)
    if config is None:
        raise ValueError("model " + nearest(model, open_clip.list_models()))
    if not is_pretrained_cfg(model, tag):
        raise ValueError(f"tag of model {model!r}: " + nearest(tag, list_pretrained_tags_by_model(model)))
    if get_pretrained_cfg(model, tag).get("quick_gelu") and not config.get("quick_gelu"):
        raise ValueError(
            f"checkpoint {model}:{tag} was trained with QuickGELU, but model {model!r} computes exact GELU: "
            f"use model '{model}-quickgelu'"
        )


def build_trunk(model: str, tag: str) -> nn.Module:
    """The timm trunk of an open_clip model with random weights; the same module as the full model's ``visual.trunk``.

    Works under ``torch.device("meta")``. `ValueError` for an unknown pair, a QuickGELU tag under a plain name, and a
    model whose vision tower is not timm's.
    """
    check_activation(model, tag)
    config = open_clip.get_model_config(model)
    vision = config["vision_cfg"]
    if "timm_model_name" not in vision:
        raise ValueError(f"the vision tower of {model!r} is open_clip's own, not timm's: no plugin here builds it")
    return trunk_of(vision, config["embed_dim"], quick_gelu=bool(config.get("quick_gelu")))


def trunk_of(vision: dict[str, Any], embed_dim: int, *, quick_gelu: bool = False) -> nn.Module:
    """The timm trunk of an open_clip ``vision_cfg``."""
    # Private, but the only way that builds no text tower; a test compares it with the full model.
    visual: Any = _build_vision_tower(embed_dim, {**vision, "timm_model_pretrained": False}, quick_gelu)
    trunk: nn.Module = visual.trunk
    return trunk


def build_custom_trunk(base: str, sizes: CustomSizes) -> nn.Module:
    """timm's model ``base`` with other sizes: the same class, activation, norms and position embeddings."""
    trunk: nn.Module = timm.create_model(
        base,
        pretrained=False,
        num_classes=0,
        img_size=sizes.image_size,
        patch_size=sizes.patch_size,
        embed_dim=sizes.width,
        depth=sizes.depth,
        num_heads=sizes.heads,
        mlp_ratio=sizes.mlp_ratio,
    )
    return trunk


def build_options_trunk(options: TowerOptions, custom_base: str) -> nn.Module:
    """The trunk that the options name, checked against the declared sizes."""
    trunk: Any = (
        build_custom_trunk(custom_base, options.custom) if options.custom else build_trunk(options.model, options.tag)
    )
    declared = options.architecture()
    real = Architecture(
        declared.family,
        int(trunk.patch_embed.img_size[0]),
        int(trunk.patch_embed.patch_size[0]),
        int(trunk.embed_dim),
        len(trunk.blocks),
    )
    if real != declared:
        raise ValueError(f"model {options.model!r} is declared as {declared}, but timm builds {real}")
    return trunk  # type: ignore[no-any-return]
