"""Reading weights into a wrapped model, strictly, whatever library it is of."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor, nn

from janus_open_clip.weights import FOLDER_FILES, HUB, WeightsError, load_strict, read
from janus_wrap.options import WrapOptions

__all__ = ["HUB", "WeightsError", "check_stated", "download", "fit", "locate", "read"]

T = TypeVar("T")
STATED = ("preprocessor_config.json", "open_clip_config.json", "config.json")
"""Files beside weights that may say how pixels were prepared."""


def locate(options: WrapOptions, folder: Path) -> Path:
    """The file that ``options.weights`` means, downloaded if it must be."""
    weights = options.weights
    if weights.startswith(HUB):
        return download(weights, lambda: _from_hub(weights.removeprefix(HUB)))
    path = folder / weights
    if path.is_dir():
        check_stated(path, options)
        path = next((path / name for name in FOLDER_FILES if (path / name).is_file()), path)
    if not path.is_file():
        what = f"holds none of {', '.join(FOLDER_FILES)}" if path.is_dir() else "does not exist"
        raise WeightsError(
            f"weights {weights!r}: {path} {what}. Allowed: 'none' for random weights, 'tag' for the published ones, "
            "'hf-hub:ORG/NAME', a file or a folder"
        )
    return path


def fit(
    trunk: nn.Module, tensors: Mapping[str, Tensor], *, source: str, model: str, spare: set[str] | None = None
) -> None:
    """Copy tensors into the trunk if every key and shape agrees; `WeightsError` with all that do not.

    Args:
        spare: keys of the whole model; those that the trunk lacks (a classifier) are passed over.
    """
    wanted = trunk.state_dict().keys()
    kept = {key: value for key, value in tensors.items() if key in wanted or key not in (spare or ())}
    load_strict(trunk, kept, path=Path(source), model=model)


def check_stated(folder: Path, options: WrapOptions) -> None:
    """Refuse a folder that states another mean or std than the options: features would be of wrong pixels."""
    for name in STATED:
        if not (folder / name).is_file():
            continue
        told: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
        told = {**told, **told.get("preprocess_cfg", {}), **told.get("pretrained_cfg", {})}
        for word, value in (("mean", options.mean or options.facts.mean), ("std", options.std or options.facts.std)):
            stated = told.get(word, told.get(f"image_{word}"))
            if isinstance(stated, list) and [round(x, 4) for x in stated] != [round(x, 4) for x in value]:
                raise WeightsError(
                    f"weights {options.weights!r}: {folder / name} states {word} {stated}, this encoder prepares with "
                    f"{list(value)}: set the option {word} to {stated}"
                )


def download(what: str, fetch: Callable[[], T]) -> T:
    """What ``fetch`` gives; `WeightsError` with the way out if it cannot."""
    try:
        return fetch()
    except WeightsError:
        raise
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0][:200]
        raise WeightsError(
            f"cannot read the weights of {what}: {type(error).__name__}: {first}. Without a network, set weights to a "
            "file or folder, or to 'none' for random weights"
        ) from error


def _from_hub(repository: str) -> Path:
    from huggingface_hub import hf_hub_download, list_repo_files

    there = set(list_repo_files(repository))
    name = next((name for name in FOLDER_FILES if name in there), None)
    if name is None:
        raise WeightsError(f"weights {HUB}{repository}: the repository holds none of {', '.join(FOLDER_FILES)}")
    return Path(hf_hub_download(repository, name))
