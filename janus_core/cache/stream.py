"""What decides which inputs a stage draws, as a name: where they were all cached before, nothing need be looked at."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from janus_core.config.recipe import Recipe, StageConfig
from janus_core.interfaces import DataSource

FIELDS = ("steps", "batch_size", "batch_unit", "row_tokens", "mixture", "mixture_unit", "data", "first_sentence")


def stream_of(
    recipe: Recipe,
    stage: StageConfig,
    sources: Mapping[str, DataSource],
    *,
    folder: Path,
    rank: int = 0,
    world: int = 1,
) -> str:
    """A name, equal for stages that draw the same inputs; neither the language model nor the rates are in it.

    A file that changes under the same name, size and date goes unseen here, and its inputs are then missed in the
    stage: never a wrong entry, as each is found by the content of its input.

    Args:
        folder: relative paths in the options of sources are relative to it.
        rank, world: of this process, which draws a part of the inputs.
    """
    used = sorted({name for named in stage.data.values() for name in named})
    choices = {name: recipe.sources[name].model_dump(mode="json") for name in used}
    facts = {
        "seed": recipe.seed,
        "stage": {name: value for name, value in stage.model_dump(mode="json").items() if name in FIELDS},
        "sources": choices,
        "lengths": {name: len(sources[name]) for name in used},
        "files": list(_files(choices, folder)),
        # How many samples a row holds, and which are too long, follows from the tokens of each.
        "text": recipe.text.model_dump(mode="json"),
        "adapters": {route: choice.model_dump(mode="json") for route, choice in recipe.model.adapters.items()},
        "process": [rank, world],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _files(value: Any, folder: Path) -> Iterator[tuple[str, int, int]]:
    """Size and date of every file that an option names."""
    if isinstance(value, Mapping):
        for key in sorted(value):
            yield from _files(value[key], folder)
    elif isinstance(value, list):
        for item in value:
            yield from _files(item, folder)
    elif isinstance(value, str) and 0 < len(value) < 1024:
        try:
            about = (folder / value).stat()
        except (OSError, ValueError):
            return
        yield value, about.st_size, about.st_mtime_ns
