"""Paths, patterns and lists of them -> files that exist, in an order that does not depend on the machine."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from pathlib import Path

_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}|\{([^{}]*,[^{}]*)\}")


def find_files(path: str | Sequence[str], folder: Path) -> list[Path]:
    """The files that paths and patterns name: those of a pattern sorted by name, the patterns in the order given.

    Args:
        path: a path, a pattern of ``*``, ``?``, ``[…]``, ``**``, ``{000..123}``, ``{a,b}``, or several of these.
        folder: what they are relative to.

    Raises:
        ValueError: a file does not exist, a pattern matches none, a file is named twice, or a name is no local file.
    """
    found: list[Path] = []
    missing: list[str] = []
    for item in [path] if isinstance(path, str) else path:
        if "://" in item or item.startswith("pipe:"):
            raise ValueError(
                f"path {item!r} is no local file; samples are read in random order, which needs files: copy them first"
            )
        for name in [item] if (folder / item).exists() else expand_braces(item):
            hits = _matches(name, folder)
            found += hits
            if not hits:
                missing.append(name)
    if missing:
        raise ValueError(f"{len(missing)} of the files that path names do not exist, the first: {folder / missing[0]}")
    twice = {file for file in found if found.count(file) > 1} if len(set(found)) < len(found) else ()
    if twice:
        raise ValueError(
            f"path names {min(twice)} twice; a share in the mixture (`data`) weighs a source, not its path"
        )
    return found


def expand_braces(pattern: str) -> list[str]:
    """``{008..010}`` and ``{a,b}`` written out, as a shell does it; numbers keep their leading zeros.

    Raises:
        ValueError: a range that counts down.
    """
    match = _BRACES.search(pattern)
    if match is None:
        return [pattern]
    first, last, words = match.groups()
    if words is not None:
        choices = words.split(",")
    elif int(first) > int(last):
        raise ValueError(f"the range {match[0]} in {pattern!r} counts down; write {{{last}..{first}}}")
    else:
        choices = [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]
    before, after = pattern[: match.start()], pattern[match.end() :]
    return list(dict.fromkeys(name for choice in choices for name in expand_braces(before + choice + after)))


def _matches(name: str, folder: Path) -> list[Path]:
    path = folder / name
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name the files in it by a pattern, such as {name.rstrip('/')}/*")
    if path.is_file():
        return [path]
    if not glob.has_magic(name):
        return []
    hits = (folder / hit for hit in glob.glob(name, root_dir=folder, recursive=True))
    return sorted(hit for hit in hits if hit.is_file())
