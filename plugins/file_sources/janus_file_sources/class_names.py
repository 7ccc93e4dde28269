"""Names of classes by folder: ImageNet's lines, or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from janus_file_sources.records import require_file


def class_names(file: Path | None, folders: Sequence[str], synonyms: Literal["first", "all"]) -> list[str]:
    """The name of each class folder, with spaces for underscores; without a file it is the folder's own.

    Args:
        file: lines ``n01440764 tench, Tinca tinca``, or JSON ``{folder: name}`` or ``{number: [folder, name]}``
            (``imagenet_class_index.json``).
        synonyms: the part before the first comma, or all.

    Raises:
        ValueError: the file does not exist, is not of such a form, or lacks a folder.
    """
    names = {folder: folder for folder in folders} if file is None else _read(file)
    missing = [folder for folder in folders if not names.get(folder)]
    if missing:
        raise ValueError(
            f"names {file} lacks {len(missing)} of {len(folders)} folders, the first: {missing[0]!r}; add it, or leave "
            f"`names` out to take the folders' names"
        )
    chosen = [names[folder].split(",")[0] if synonyms == "first" else names[folder] for folder in folders]
    return [name.replace("_", " ").strip() for name in chosen]


def _read(file: Path) -> dict[str, str]:
    require_file(file)
    try:
        text = file.read_text(encoding="utf-8-sig")
        return _from_json(text) if file.suffix == ".json" else _from_lines(text)
    except ValueError as error:
        raise ValueError(f"names {file}: {error}") from error


def _from_lines(text: str) -> dict[str, str]:
    pairs = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    return {pair[0]: pair[1].strip() for pair in pairs if len(pair) == 2}


def _from_json(text: str) -> dict[str, str]:
    values = json.loads(text)
    if not isinstance(values, dict):
        raise ValueError(f"holds {type(values).__name__}; write {{folder: name}}")
    names = {}
    for key, value in values.items():
        folder, name = value if isinstance(value, list) and len(value) == 2 else (key, value)
        if not isinstance(folder, str) or not isinstance(name, str):
            raise ValueError(f"{key!r}: {value!r:.80} is neither a name nor [folder, name]")
        names[folder] = name.strip()
    return names
