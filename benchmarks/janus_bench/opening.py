"""Opens picture files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from janus_core.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image


def open_rgb(path: Path, upright: bool = False) -> Image:
    """A picture in RGB; alpha is dropped.

    Args:
        upright: turn it as its EXIF data say.

    Raises:
        UserError: it is not a picture.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            return (ImageOps.exif_transpose(image) if upright else image).convert("RGB")
    except OSError as error:
        raise UserError(f"{path} is not a picture: {error}", "draw it again, or remove it") from None
