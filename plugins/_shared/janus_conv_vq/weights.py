"""Read published weights into a tokenizer: strictly, in any declared layout, without running code."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from janus_core.checkpoints.layouts import Conversion, detect, to_ours
from janus_core.hookspecs import Layout
from janus_core.interfaces import BuildContext

HUB = "hf-hub:"
WRAPPERS = ("state_dict", "model")
INERT = ("pytorch_lightning.", "lightning.", "omegaconf.", "numpy.")
"""Libraries whose objects lie beside the tensors in published files: read as empty stand-ins, never run."""


class WeightsError(ValueError):
    """A file of weights that is absent, damaged, unsafe or of another model."""


def load_weights(
    module: nn.Module, weights: str, layout: str, layouts: Mapping[str, Layout], context: BuildContext
) -> None:
    """Read ``weights`` into ``module``, unless it is ``none`` or the context says that a checkpoint follows.

    Args:
        module: every parameter and buffer of it is read, except those that the layout only carries.
        weights: ``none``, a path, or ``hf-hub:organisation/repository/file``.
        layout: a name in ``layouts``, or ``auto``: the one that fits best, the first of equals.
        layouts: the formats that the component declares, its own first.
        context: gives the folder of relative paths.

    Raises:
        WeightsError: with every missing, unexpected and misshapen key at once.
    """
    if weights == "none" or context.skip_weights:
        return
    path = locate(weights, context.folder)
    state = read_state(path)
    expected = {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}
    chosen = detect(layouts, state, expected) if layout == "auto" else layout
    conversion = to_ours(layouts[chosen], state, expected)
    if conversion.faults:
        raise WeightsError(_does_not_fit(weights, chosen, layouts, conversion))
    module.load_state_dict(conversion.state, strict=not conversion.carried)


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file or of a pickle without code, out of its ``state_dict`` or ``model``."""
    try:
        content: Any = load_file(path) if path.suffix == ".safetensors" else _unpickle(path)
    except SafetensorError as error:
        raise WeightsError(f"{path} is cut short or not a safetensors file ({error}): fetch it again") from error
    while isinstance(content, Mapping):
        inner = next((content[key] for key in WRAPPERS if isinstance(content.get(key), Mapping)), None)
        if inner is None:
            break
        content = inner
    tensors = {k: v for k, v in content.items() if isinstance(v, Tensor)} if isinstance(content, Mapping) else {}
    if not tensors:
        raise WeightsError(f"{path} holds no tensors by name, neither at its top nor under {' or '.join(WRAPPERS)}")
    return tensors


class _StandIn:
    """What a foreign object in a file becomes: nothing."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


def _unpickle(path: Path) -> Any:
    damaged = f"{path} is cut short or not a file of torch.save: fetch it again"
    try:
        foreign = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except (ValueError, pickle.UnpicklingError):
        foreign = []  # an old file without zip: torch.load judges it
    except (RuntimeError, EOFError, OSError, IndexError, KeyError) as error:
        raise WeightsError(damaged) from error
    inert: list[Any] = [(_StandIn, name) for name in foreign if name.startswith(INERT)]
    try:
        with torch.serialization.safe_globals(inert):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        unsafe = sorted(set(foreign) - {name for _, name in inert})
        if unsafe or "global" in str(error).lower():
            names = ", ".join(unsafe) or "code"
            raise WeightsError(
                f"{path} asks to run {names} when it is read, and is refused: use a safetensors file"
            ) from error
        raise WeightsError(damaged) from error
    except (RuntimeError, EOFError, OSError, IndexError, KeyError, AttributeError) as error:
        raise WeightsError(damaged) from error


def locate(weights: str, folder: Path) -> Path:
    """The file that ``weights`` names, fetched if it is on a hub; `WeightsError` if there is none."""
    if not weights.startswith(HUB):
        path = folder / Path(weights).expanduser()
        if not path.is_file():
            raise WeightsError(
                f"weights {weights!r}: there is no file {path}; give a path, {HUB}org/name/file, or none"
            )
        return path
    parts = weights.removeprefix(HUB).split("/", 2)
    if len(parts) < 3 or not all(parts):
        raise WeightsError(f"weights {weights!r} must be written {HUB}organisation/repository/file")
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download("/".join(parts[:2]), parts[2]))
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"weights {weights!r} could not be fetched ({type(error).__name__}: {error}): "
            "download the file by hand and give its path"
        ) from error


def _does_not_fit(weights: str, layout: str, layouts: Mapping[str, Layout], conversion: Conversion) -> str:
    declared = ", ".join(layouts)
    return (
        f"weights {weights!r}, read in the layout {layout!r} (declared: {declared}), are of another model or options:\n"
        f"{conversion.describe()}\nchoose the preset that the file was trained with, or another file"
    )
