"""Reading a tower's weights from a file, a folder or a hub, strictly: all keys, all shapes, or one error.

Understood names of the keys: open_clip's full model (``visual.trunk.``), its tower (``trunk.``), timm's own, and
DeepSeek's Janus (``vision_model.vision_tower.``). Other tensors of a full model (its text tower) are not read.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from open_clip.constants import HF_CONFIG_NAME
from open_clip.pretrained import download_pretrained, download_pretrained_from_hf, get_pretrained_cfg
from torch import Tensor, nn

from janus_open_clip.facts import ARCHITECTURES, Family, Preprocessing
from janus_open_clip.options import TowerOptions

RANDOM = "none"
FOLDER, HUB = "local-dir:", "hf-hub:"
PREFIXES = ("visual.trunk.", "vision_model.vision_tower.", "visual.", "trunk.", "")
"""Wrappers of the trunk's keys in published files, the longest first."""

FOLDER_FILES = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
    "model.safetensors",
    "pytorch_model.bin",
    "weights.safetensors",
)
"""What open_clip, timm and ``janus pretrain`` call the weights in a folder."""

FAMILIES: dict[Family, str] = {"siglip": "SigLIP", "eva": "EVA-CLIP"}
MARKS = (
    ("norm_pre.weight", "CLIP"),
    ("blocks.0.ls1.gamma", "DINOv2"),
    ("reg_token", "DINOv3"),
    ("cls_token", FAMILIES["eva"]),
)
"""The first of these names that a tower has tells its kind; SigLIP has none."""

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
SHOWN = 8


class WeightsError(ValueError):
    """Weights that cannot be read or do not fit the model.

    Attributes:
        missing: keys that the model has and the file lacks.
        unexpected: keys that the file has and the model lacks.
        misshapen: key -> (shape in the file, shape in the model).
    """

    def __init__(
        self,
        message: str,
        missing: Sequence[str] = (),
        unexpected: Sequence[str] = (),
        misshapen: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] | None = None,
    ) -> None:
        super().__init__(message)
        self.missing, self.unexpected, self.misshapen = tuple(missing), tuple(unexpected), dict(misshapen or {})


def load_weights(trunk: nn.Module, options: TowerOptions, folder: Path) -> None:
    """Load ``options.weights`` into a timm trunk; nothing for ``none``.

    Args:
        trunk: of the model that the options name.
        options: say which weights, and which model they are for.
        folder: relative paths start here.

    Raises:
        WeightsError: unreadable, refused, or not this model's.
    """
    if options.weights == RANDOM:
        return
    name = "the custom sizes" if options.custom else f"{options.model}:{options.tag}"

    def fetch() -> str:
        return str(download_pretrained(get_pretrained_cfg(options.model, options.tag)))

    path = locate(options.weights, folder, published=name, fetch=fetch)
    if options.weights.startswith(FOLDER):
        _check_folder(path.parent, options)
    load_strict(trunk, read(path), path=path, model=name)


def locate(weights: str, folder: Path, *, published: str, fetch: Callable[[], str]) -> Path:
    """The file that the option ``weights`` means, downloaded if it must be; `WeightsError` if there is none.

    Args:
        weights: ``tag``, ``hf-hub:ORG/NAME``, ``local-dir:FOLDER`` or a file.
        folder: relative paths start here.
        published: name of the tag's checkpoint, for the error.
        fetch: downloads it, and gives the path.
    """
    if weights == "tag":
        return _download(f"the weights of {published}", fetch)
    if weights.startswith(HUB):
        repository = weights.removeprefix(HUB)
        return _download(repository, lambda: _from_hub(repository))
    if weights.startswith(FOLDER):
        place = folder / weights.removeprefix(FOLDER)
        found = [place / name for name in FOLDER_FILES if (place / name).is_file()]
        if found:
            return found[0]
        state = "holds none of them" if place.is_dir() else "is not a folder"
        raise WeightsError(f"weights {weights!r}: looked for {', '.join(FOLDER_FILES)}, but {place} {state}")
    path = folder / weights
    if not path.is_file():
        what = "is a folder: write 'local-dir:' before it" if path.is_dir() else "does not exist"
        raise WeightsError(
            f"weights {weights!r}: {path} {what}. Allowed: 'none' for random weights, 'tag' for the published ones, "
            "a file, 'local-dir:FOLDER' or 'hf-hub:ORG/NAME'"
        )
    return path


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint file, on the CPU; pickles are read without running code."""
    if path.suffix not in SUFFIXES:
        raise WeightsError(
            f"weights {path}: cannot read {path.suffix or 'a file without ending'}; use one of {SUFFIXES}"
        )
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"weights {path}: the file is damaged, or a pickle that holds more than tensors, which could run code; "
            f"get it anew, or save its tensors as .safetensors where it comes from ({_first_line(error)})"
        ) from error
    except Exception as error:
        raise WeightsError(
            f"weights {path}: cannot be read, perhaps cut short ({path.stat().st_size} bytes): "
            f"get it anew ({type(error).__name__}: {_first_line(error)})"
        ) from error
    for wrapper in ("state_dict", "model"):
        if isinstance(found, dict) and isinstance(found.get(wrapper), dict):
            found = found[wrapper]
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise WeightsError(f"weights {path}: holds no table of tensors but {type(found).__name__}")
    return {str(key).removeprefix("module."): value for key, value in found.items()}


def load_strict(trunk: nn.Module, tensors: Mapping[str, Tensor], *, path: Path, model: str) -> None:
    """Copy tensors into the trunk if every key and shape agrees, else raise one `WeightsError` that lists them all."""
    expected = trunk.state_dict()
    given = strip_prefix(tensors, expected)
    missing = [key for key in expected if key not in given]
    unexpected = [key for key in given if key not in expected]
    misshapen = {
        key: (tuple(value.shape), tuple(expected[key].shape))
        for key, value in given.items()
        if key in expected and value.shape != expected[key].shape
    }
    if missing or unexpected or misshapen:
        shapes = [f"{key} {list(theirs)} (the model's {list(ours)})" for key, (theirs, ours) in misshapen.items()]
        raise WeightsError(
            f"weights {path} do not fit {model}.\n"
            f"  the file:  {describe(given)}\n"
            f"  the model: {describe(expected)}\n"
            + _listed("missing", missing)
            + _listed("unexpected", unexpected)
            + _listed("of another shape", shapes)
            + "  Name the model that the file belongs to, or another file.",
            missing,
            unexpected,
            misshapen,
        )
    trunk.load_state_dict(given, strict=True)


def strip_prefix(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The trunk's tensors under timm's names: those behind the wrapper that fits most of the expected keys."""

    def under(prefix: str) -> dict[str, Tensor]:
        return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}

    best = max(PREFIXES, key=lambda prefix: len(under(prefix).keys() & expected.keys()))
    # Old timm wrote EVA's rotary tables, which are computed, into checkpoints.
    return {key: value for key, value in under(best).items() if not key.startswith("rope.")}


def describe(tensors: Mapping[str, Tensor]) -> str:
    """What model a table of tensors seems to be, from its names and shapes."""
    patch, position = tensors.get("patch_embed.proj.weight"), tensors.get("pos_embed")
    if patch is None or patch.ndim != 4:
        return f"{len(tensors)} tensors, no vision tower with a patch convolution"
    kind = next((kind for key, kind in MARKS if key in tensors), "SigLIP")
    depth = len({key.split(".")[1] for key in tensors if key.startswith("blocks.")})
    width, _, side, _ = patch.shape
    text = f"{kind} tower, width {width}, {depth} blocks, patch {side}"
    if position is None or position.ndim != 3:
        return text
    names = [
        name
        for name, known in ARCHITECTURES.items()
        if (FAMILIES[known.family], known.width, known.depth, known.patch_size) == (kind, width, depth, side)
        and known.num_tokens() + (known.family == "eva") == position.shape[1]
    ]
    return f"{text}, {position.shape[1]} positions" + (f" (as {' or '.join(names)})" if names else "")


def _listed(title: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return f"  {title} ({len(items)}): {', '.join(items[:SHOWN])}{more}\n"


def _check_folder(place: Path, options: TowerOptions) -> None:
    """A folder saved by open_clip states its preprocessing: it must be the tag's."""
    config = place / HF_CONFIG_NAME
    if not config.is_file():
        return
    stated = json.loads(config.read_text()).get("preprocess_cfg", {})
    transform = options.transform()
    facts = Preprocessing(transform.mean, transform.std, transform.interpolation, transform.resize)
    wrong = [
        f"{field} {stated[field]} (the tag's {list(value) if isinstance(value, tuple) else value})"
        for field, value in (("mean", facts.mean), ("std", facts.std), ("interpolation", facts.interpolation))
        if field in stated and stated[field] != (list(value) if isinstance(value, tuple) else value)
    ]
    if wrong:
        raise WeightsError(
            f"weights {options.weights!r}: {config} states another preprocessing than the tag {options.tag!r}: "
            f"{', '.join(wrong)}. Name the model and tag that these weights come from"
        )


def from_timm(repository: str) -> str:
    """timm's file of a hub repository, downloaded."""
    return str(download_pretrained_from_hf(repository, filename="model.safetensors"))


def _from_hub(repository: str) -> str:
    """open_clip's file of a hub repository, or timm's if it holds no other."""
    try:
        return str(download_pretrained_from_hf(repository))
    except FileNotFoundError:
        return from_timm(repository)


def _download(what: str, fetch: Callable[[], str]) -> Path:
    try:
        return Path(fetch())
    except Exception as error:
        raise WeightsError(
            f"cannot download {what}: {_first_line(error)}. Without a network, set weights to a file, to "
            "'local-dir:FOLDER', or to 'none' for random weights"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
