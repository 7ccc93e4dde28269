"""The image normalisation that a published checkpoint states (``preprocessor_config.json``), read and written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from janus_core.checkpoints.janus.architecture import Architecture, Triple
from janus_core.checkpoints.janus.fields import Fields, read_json

FILE = "preprocessor_config.json"
HALF: Triple = (0.5, 0.5, 0.5)
"""Mean and standard deviation of every published Janus."""


def read_normalisation(folder: Path, image_size: int, notes: list[str]) -> tuple[Triple, Triple]:
    """Mean and standard deviation of the pixels.

    Args:
        image_size: of the vision tower; the file must agree.
        notes: what the user should know is added here.

    Raises:
        UserError: the file asks for something that is not computed here.
    """
    values = read_json(folder / FILE)
    fields = Fields(values, FILE)
    if "image_size" in values:
        fields.only("image_size", image_size)
    size = values.get("size")
    if isinstance(size, dict) and "height" in size:
        fields.inner("size").only("height", image_size)
        fields.inner("size").only("width", image_size)
    fields.only("min_size", 14)
    mean, std = _triple(fields, "image_mean"), _triple(fields, "image_std")
    fields.finish()
    if not values:
        notes.append(f"there is no {FILE}: pixels are normalised with mean and standard deviation 0.5, as Janus' are")
    elif values.get("do_normalize") is False:
        notes.append(f"{FILE} says do_normalize: false (a revision before 2024-11-14): normalised all the same")
    return mean, std


def deepseek_pictures(sizes: Architecture, mean: Triple, std: Triple) -> dict[str, Any]:
    """``preprocessor_config.json`` for ``VLMImageProcessor``."""
    return {
        "background_color": _background(mean),
        "do_normalize": True,
        "image_mean": list(mean),
        "image_std": list(std),
        "image_size": sizes.vision.image_size,
        "min_size": 14,
        "rescale_factor": 1 / 255,
        "image_processor_type": "VLMImageProcessor",
        "processor_class": "VLChatProcessor",
    }


def huggingface_pictures(sizes: Architecture, mean: Triple, std: Triple) -> dict[str, Any]:
    """``preprocessor_config.json`` for ``JanusImageProcessor``."""
    side = sizes.vision.image_size
    return {
        "background_color": _background(mean),
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_pad": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": list(mean),
        "image_std": list(std),
        "image_processor_type": "JanusImageProcessor",
        "min_size": 14,
        "processor_class": "JanusProcessor",
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"height": side, "width": side},
    }


def _background(mean: Triple) -> list[int]:
    return [int(value * 255) for value in mean]


def _triple(fields: Fields, name: str) -> Triple:
    value = fields.values.get(name)
    if value is None:
        return HALF
    numbers = isinstance(value, list) and len(value) == 3 and all(isinstance(v, int | float) for v in value)
    if not numbers:
        fields.wrong.append(f"{fields.place}.{name} is {value!r}, and must be three numbers")
        return HALF
    return (float(value[0]), float(value[1]), float(value[2]))
