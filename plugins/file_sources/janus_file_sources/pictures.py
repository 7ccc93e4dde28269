"""Pictures of records, from files or from bytes."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from janus_core.data.images import ImageError, load_image
from janus_core.interfaces import BadRecord


def image_folder(images: str | None, folder: Path, file: Path) -> Path:
    """The folder that image paths are relative to."""
    return folder / images if images is not None else file.parent


def read_image(source: Path | bytes, place: str) -> Image.Image:
    """A record's picture in mode RGB; a file or bytes that are none make the record bad."""
    try:
        return load_image(source)
    except ImageError as error:
        raise BadRecord(place, str(error)) from error
