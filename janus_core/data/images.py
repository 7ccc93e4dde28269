"""Image files of any kind -> a PIL image in mode RGB, as a person would see it."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 64_000_000
"""Larger pictures are refused before they are decoded: 64 megapixels are 192 MB in memory."""
WIDE = ("I;16", "I;16B", "I;16L", "I;16N")
"""Modes of 16 bits a pixel."""


class ImageError(ValueError):
    """A file that is not a usable image, with the reason."""


def load_image(source: str | Path | bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Read an image: first frame, EXIF turned, transparency on white, 16 bits scaled to 8.

    Raises:
        ImageError: missing, not an image, truncated or too large.
    """
    name = "image" if isinstance(source, bytes) else str(source)
    try:
        with warnings.catch_warnings():  # Pillow warns of sizes that are refused below
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
    except FileNotFoundError as error:
        raise ImageError(f"{name} does not exist") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} is not an image (or of a format that Pillow cannot read)") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name} is too large: more than {max_pixels:,} pixels; scale it down first") from error
    except (OSError, ValueError) as error:  # a ValueError: a path that no file can have
        raise ImageError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    with opened:
        width, height = opened.size
        if width * height > max_pixels:
            raise ImageError(
                f"{name} is too large: {width} x {height} is more than {max_pixels:,} pixels; scale it down first"
            )
        try:
            opened.load()
            return to_rgb(ImageOps.exif_transpose(opened))
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            raise ImageError(f"{name} is damaged: {error}") from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode -> RGB; transparent pixels show white, not whatever lies beneath them."""
    if image.mode in (*WIDE, "I", "F"):
        values = np.asarray(image).astype(np.float64)
        # 32-bit files do not say which range they use.
        scale = 257.0 if image.mode in WIDE or values.max(initial=0) > 255 else 1.0
        return Image.fromarray((values / scale).round().clip(0, 255).astype(np.uint8), "L").convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layered).convert("RGB")
    return image.convert("RGB")
