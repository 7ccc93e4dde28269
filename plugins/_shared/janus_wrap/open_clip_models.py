"""Vision towers of open_clip, without the text towers beside them; the factories of encoders that wrap one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import open_clip
from open_clip.model import _build_vision_tower
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn

from janus_wrap import timm_models
from janus_wrap.encoder import build as build
from janus_wrap.encoder import build_transform as build_transform
from janus_wrap.library import raster
from janus_wrap.options import Facts, WrapOptions


def build_trunk(facts: Facts, image_size: int, config: dict[str, Any]) -> nn.Module:
    """See `janus_wrap.library.Library.build_trunk`; ``config`` changes open_clip's ``vision_cfg``."""
    known = open_clip.get_model_config(facts.model)
    vision = {**known["vision_cfg"], "timm_model_pretrained": False, "image_size": image_size, **config}
    try:
        # Private, but the only way that builds no text tower; a test compares it with the full model.
        visual: Any = _build_vision_tower(known["embed_dim"], vision, bool(known.get("quick_gelu")))
        trunk: Any = getattr(visual, "trunk", None)
        if hasattr(trunk, "set_input_size"):  # open_clip notes the size, but leaves timm's positions as they are
            trunk.set_input_size(img_size=image_size)
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        raise ValueError(
            f"open_clip does not build {facts.model} at {image_size} pixels with {config}: {error}"
        ) from error
    return visual  # type: ignore[no-any-return]


def tokens(trunk: Any, pixels: Tensor) -> Tensor:
    """See `janus_wrap.library.Library.tokens`: the last block's output, after the final norm where it fits patches."""
    if hasattr(trunk, "trunk"):
        return timm_models.features(trunk.trunk, pixels)
    wanted = {"indices": [-1], "intermediates_only": True}
    if not isinstance(trunk, VisionTransformer):
        return raster(trunk.forward_intermediates(pixels, **wanted)["image_intermediates"][0])
    normed = trunk.attn_pool is None and not trunk.final_ln_after_pool  # else the norm belongs to what is pooled
    found = trunk.forward_intermediates(pixels, normalize_intermediates=normed, output_fmt="NLC", **wanted)
    return found["image_intermediates"][0]  # type: ignore[no-any-return]


def load_weights(trunk: Any, options: WrapOptions, folder: Path) -> None:
    """See `janus_wrap.library.Library.load_weights`; keys of the text tower are not read."""
    from open_clip.pretrained import download_pretrained, get_pretrained_cfg

    from janus_wrap.weights import WeightsError, download, fit, locate, read

    facts = options.facts
    name = f"{facts.model}:{facts.tag}" if facts.tag else facts.model
    if options.weights == "tag":
        if not facts.tag:
            raise WeightsError(f"weights 'tag': this plugin wraps {facts.model} without a tag; give a file or hf-hub:")
        config = get_pretrained_cfg(facts.model, facts.tag)
        path = Path(download(name, lambda: download_pretrained(config)))
    else:
        path = locate(options, folder)
    tensors = read(path)
    visual = {key.removeprefix("visual."): value for key, value in tensors.items() if key.startswith("visual.")}
    fit(trunk, visual or tensors, source=str(path), model=name)
