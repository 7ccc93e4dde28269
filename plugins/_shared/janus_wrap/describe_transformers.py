"""``--wrap transformers:MODEL``, MODEL being a class, a model type, a folder or a repository of the hub."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import transformers
from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES
from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

from janus_core.errors import UserError
from janus_core.scaffold.wraps import Wrapped
from janus_wrap.describe import unknown_model, wrapped
from janus_wrap.options import Facts

SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_sizes": [8, 16, 32, 32],
    "depths": [1, 1, 1, 1],
    "embedding_size": 8,
    "embed_dim": 16,
    "num_heads": [1, 1, 2, 2],
    "window_size": 2,
}
"""Settings of small models; those that a configuration has, of the same type and length, are taken."""

ASIDE = [
    "transformers_version",
    "_name_or_path",
    "architectures",
    "dtype",
    "torch_dtype",
    "id2label",
    "label2id",
    "num_labels",
    "model_type",
    "image_size",
    "stage_names",
    "out_features",
    "out_indices",
    "return_dict",
    "output_hidden_states",
    "output_attentions",
]
"""Entries of a configuration that do not decide what is computed, or that follow from others."""


def describe(model: str) -> Wrapped:
    """A vision model of transformers. `UserError` if there is no such model, or it does not take pictures."""
    kind, config, source = _found(model)
    if getattr(kind, "main_input_name", "") != "pixel_values":
        raise UserError(
            f"--wrap transformers:{model}: {kind.__name__} takes {kind.main_input_name}, not pictures",
            "name a vision model, such as Dinov2Model or CLIPVisionModel",
        )
    default = kind.config_class().to_dict()
    config = config or kind.config_class()
    told = config.to_dict()
    prepared = _processor(config.model_type, source)
    size = getattr(config, "image_size", None) or 224
    facts = Facts(
        library="transformers",
        model=kind.__name__,
        image_size=size if isinstance(size, int) else int(next(iter(size))),
        mean=tuple(prepared["image_mean"]),
        std=tuple(prepared["image_std"]),
        interpolation="bilinear" if int(prepared["resample"]) == 2 else "bicubic",
        resize="shortest" if prepared["do_center_crop"] or "shortest_edge" in prepared["size"] else "squash",
        config={key: value for key, value in told.items() if key not in ASIDE and value != default.get(key)},
    )
    hub = f"`hf-hub:{model}`" if source and not Path(model).is_dir() else "`hf-hub:ORG/NAME`"
    return wrapped(
        facts,
        [_small(default)],
        distribution="transformers",
        requires=("transformers>=5.5",),
        weights={hub: "a repository of the hub", "a folder": "what `save_pretrained` wrote"},
    )


def _found(model: str) -> tuple[Any, Any, str]:
    """The class, its configuration (None: the class's defaults), and where a processor may lie."""
    if model in MODEL_MAPPING_NAMES:
        config = transformers.AutoConfig.for_model(model)
    elif Path(model).is_dir() or "/" in model:
        try:
            config = transformers.AutoConfig.from_pretrained(model)
        except (OSError, ValueError) as error:
            first = (str(error).strip().splitlines() or [""])[0][:200]
            raise UserError(
                f"--wrap transformers:{model}: its config.json cannot be read: {first}",
                "give a folder that save_pretrained wrote, or a class such as Dinov2Model",
            ) from error
    else:
        kind: Any = getattr(transformers, model, None)
        if not (inspect.isclass(kind) and issubclass(kind, transformers.PreTrainedModel)):
            names = {name for entry in MODEL_MAPPING_NAMES.values() for name in _names(entry)}
            raise unknown_model("transformers", model, sorted(names | set(MODEL_MAPPING_NAMES)))
        return kind, None, ""
    config = getattr(config, "vision_config", config)
    name = _names(MODEL_MAPPING_NAMES.get(config.model_type, ()))
    if not name:
        raise UserError(f"--wrap transformers:{model}: transformers has no plain model of {config.model_type}",
                        "name a class")  # fmt: skip
    return getattr(transformers, name[0]), config, "" if model in MODEL_MAPPING_NAMES else model


def _names(entry: Any) -> tuple[str, ...]:
    return (entry,) if isinstance(entry, str) else tuple(entry)


def _processor(model_type: str, source: str) -> dict[str, Any]:
    """How pixels are prepared: what lies beside the weights, else the default of the type's processor."""
    words = ("image_mean", "image_std", "resample", "size", "do_center_crop")
    standard: dict[str, Any] = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 3, "size": {},
                                "do_center_crop": False}  # fmt: skip
    keys = [key for key in IMAGE_PROCESSOR_MAPPING_NAMES if model_type == key or model_type.startswith(f"{key}_")]
    if keys:
        kind = getattr(transformers, next(iter(IMAGE_PROCESSOR_MAPPING_NAMES[max(keys, key=len)].values())))
        found = {word: getattr(kind, word, None) for word in words}
        standard |= {word: value for word, value in found.items() if value is not None}
    if source:
        try:
            stated, _ = transformers.image_processing_utils.ImageProcessingMixin.get_image_processor_dict(source)
        except OSError:
            return standard
        standard |= {word: stated[word] for word in words if stated.get(word) is not None}
    return standard


def _small(default: dict[str, Any]) -> dict[str, Any]:
    taken = {}
    for key, value in SMALL.items():
        there: Any = default.get(key)
        if type(there) is type(value) and (not isinstance(value, list) or len(value) == len(there)):
            taken[key] = value
    if "embed_dim" in taken or "hidden_sizes" in taken:
        taken.pop("hidden_size", None)  # follows from them
    return taken
