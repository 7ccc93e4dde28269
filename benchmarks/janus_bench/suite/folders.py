"""Finds pictures in folders."""

from __future__ import annotations

from pathlib import Path

from janus_core.errors import UserError

ENDINGS = frozenset((".png", ".jpg", ".jpeg", ".webp", ".bmp"))


def picture_files(folder: Path) -> list[Path]:
    """The picture files below a folder, by path.

    Raises:
        UserError: there is none.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
    if not found:
        raise UserError(f"{folder} holds no pictures", f"files that end in {', '.join(sorted(ENDINGS))}")
    return found
