"""Vision models of transformers; the factories of encoders that wrap one."""

from __future__ import annotations

import inspect
import math
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from transformers.utils import cached_file

from janus_wrap.encoder import build as build
from janus_wrap.encoder import build_transform as build_transform
from janus_wrap.library import raster, square_prefix
from janus_wrap.options import Facts, WrapOptions

PREPARED = "preprocessor_config.json"
"""What says how pixels were prepared, beside the weights."""


def build_trunk(facts: Facts, image_size: int, config: dict[str, Any]) -> nn.Module:
    """See `janus_wrap.library.Library.build_trunk`; ``config`` changes the model's configuration."""
    kind: Any = getattr(transformers, facts.model)
    known = kind.config_class().to_dict()
    unknown = sorted(config.keys() - known.keys())
    if unknown:
        raise ValueError(f"config: {facts.model} has no setting {unknown[0]!r}; it has {', '.join(sorted(known))}")
    sized: dict[str, Any] = {}
    if "image_size" in known and "image_size" not in config:
        sized = {"image_size": [image_size] * 2 if isinstance(known["image_size"], list | tuple) else image_size}
    try:
        return make(kind, kind.config_class(**{**facts.config, **sized, **config}))
    except Exception as error:
        raise ValueError(
            f"transformers does not build {facts.model} at {image_size} pixels with {config}: {error}"
        ) from error


def make(kind: Any, config: Any) -> nn.Module:
    """A model of a class, without a pooling layer where that can be left away."""
    bare = {"add_pooling_layer": False} if "add_pooling_layer" in inspect.signature(kind).parameters else {}
    return kind(config, **bare)  # type: ignore[no-any-return]


def tokens(trunk: Any, pixels: Tensor) -> Tensor:
    """See `janus_wrap.library.Library.tokens`: ``last_hidden_state``, normed if the class norms it."""
    found: Tensor = trunk(pixel_values=pixels).last_hidden_state
    if found.ndim == 4:
        return raster(found)
    return found[:, prefix_of(trunk.config, found.shape[1], pixels.shape[-1]) :]


def prefix_of(config: Any, count: int, side: int) -> int:
    """How many of ``count`` tokens of a picture stand before its patches (class, register and distillation tokens)."""
    patch = getattr(config, "patch_size", None)
    if not isinstance(patch, int):
        return square_prefix(count)
    patches = (side // patch) ** 2
    if patches <= count:
        return int(count - patches)
    if math.isqrt(count) ** 2 == count:  # a model that joins patches step by step has no such tokens
        return 0
    raise ValueError(f"{count} tokens of a picture of {side} pixels with patch_size {patch} are no square of patches")


def load_weights(trunk: Any, options: WrapOptions, folder: Path) -> None:
    """See `janus_wrap.library.Library.load_weights`; a folder of ``save_pretrained`` or a repository of the hub."""
    from janus_wrap.weights import HUB, WeightsError, check_stated, download, fit

    if options.weights == "tag":
        raise WeightsError("weights 'tag': a model of transformers has none; give hf-hub:ORG/NAME or a folder")
    source = options.weights.removeprefix(HUB)
    if source == options.weights:
        place = folder / options.weights
        if not (place / "config.json").is_file():
            raise WeightsError(
                f"weights {options.weights!r}: {place} is no folder with a config.json, as save_pretrained writes it"
            )
        source = str(place)

    def fetch() -> tuple[Any, dict[str, Any]]:
        with torch.random.fork_rng(devices=[]):
            found = type(trunk).from_pretrained(
                source, config=trunk.config, output_loading_info=True, ignore_mismatched_sizes=True
            )
        return found  # type: ignore[no-any-return]

    model, told = download(source, fetch)
    stated = download(source, lambda: cached_file(source, PREPARED, _raise_exceptions_for_missing_entries=False))
    if stated is not None:
        check_stated(Path(stated).parent, options)
    lost = {*told["missing_keys"], *(item[0] for item in told["mismatched_keys"])}
    kept = {key: value for key, value in model.state_dict().items() if key not in lost}
    fit(trunk, kept, source=source, model=options.facts.model, spare=set(kept))
