"""Models of timm; the factories of encoders that wrap one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

from janus_wrap.encoder import build as build
from janus_wrap.encoder import build_transform as build_transform
from janus_wrap.library import raster, square_prefix
from janus_wrap.options import Facts, WrapOptions


def build_trunk(facts: Facts, image_size: int, config: dict[str, Any]) -> nn.Module:
    """See `janus_wrap.library.Library.build_trunk`."""
    trunk = create(facts.model, image_size, config)
    try:
        trunk.reset_classifier(0, "")
    except (AssertionError, ValueError):  # some heads cannot be without their pooling; it is not computed with
        trunk.reset_classifier(0)
    return trunk  # type: ignore[no-any-return]


def create(model: str, image_size: int, config: dict[str, Any], *, pretrained: bool = False) -> Any:
    """The whole model; those that are built for one input size are given it."""
    try:
        try:
            return timm.create_model(model, pretrained=pretrained, **{"img_size": image_size, **config})
        except TypeError as error:
            if "img_size" not in str(error):
                raise
            return timm.create_model(model, pretrained=pretrained, **config)
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        raise ValueError(f"timm does not build {model} at {image_size} pixels with {config}: {error}") from error


def tokens(trunk: Any, pixels: Tensor) -> Tensor:
    """See `janus_wrap.library.Library.tokens`."""
    return features(trunk, pixels)


def features(trunk: Any, pixels: Tensor) -> Tensor:
    """timm's last features (``forward_features``: after the final norm, where the model has one) as tokens."""
    found = trunk.forward_features(pixels)
    if not isinstance(found, Tensor) or found.ndim not in (3, 4):
        given = list(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise ValueError(f"the features of timm's {type(trunk).__name__} are {given}, neither tokens nor a map")
    if found.ndim == 4:
        return raster(found, channels_last=getattr(trunk, "output_fmt", "NCHW") == "NHWC")
    prefix = getattr(trunk, "num_prefix_tokens", None)
    return found[:, square_prefix(found.shape[1]) if prefix is None else int(prefix) :]


def load_weights(trunk: nn.Module, options: WrapOptions, folder: Path) -> None:
    """See `janus_wrap.library.Library.load_weights`; timm's own conversion of other names and sizes is applied."""
    from janus_wrap.weights import download, fit, locate, read

    model, side, config = options.facts.model, options.side, options.config
    if options.weights == "tag":
        whole = download(model, lambda: create(model, side, config, pretrained=True))
        fit(trunk, whole.state_dict(), source=f"timm's {model}", model=model, spare=set(whole.state_dict()))
        return
    path = locate(options, folder)
    tensors = read(path)
    convert = getattr(sys.modules[type(trunk).__module__], "checkpoint_filter_fn", None)
    with torch.device("meta"):
        spare = set(create(model, side, config).state_dict())
    fit(trunk, tensors if convert is None else convert(tensors, trunk), source=str(path), model=model, spare=spare)
