"""Drawing that keeps codes of a given picture: outside a mask, or in its first rows.

A code is drawn from what lies before it in raster order, so that what is kept below and to the right of a hole is not
seen when the hole is drawn. The published Janus weights were never trained to fill holes.
"""

from __future__ import annotations

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from janus_core.errors import UserError
from janus_core.inference.decode import Kept
from janus_core.inference.session import Session
from janus_core.interfaces import device_of


def keep_outside(session: Session, image: Image.Image, mask: Image.Image) -> Kept:
    """The codes of a picture, kept where the mask is dark; a cell that the mask's white touches is drawn anew.

    Args:
        image: PIL, RGB.
        mask: of the same size, any mode.

    Raises:
        UserError: the sizes differ, the mask keeps all or nothing, or the model cannot do it.
    """
    if mask.size != image.size:
        raise UserError(
            f"the mask is {mask.size[0]} x {mask.size[1]} pixels, the picture {image.size[0]} x {image.size[1]}",
            "make the mask as large as the picture: white where it is to be drawn anew, black elsewhere",
        )
    codes, (rows, columns) = _codes(session, image)
    white = _pixels(session, mask.convert("L").convert("RGB"))[0].amax(0) > 0
    cell = (white.shape[0] // rows, white.shape[1] // columns)
    anew = F.max_pool2d(white.float()[None, None], cell)[0, 0].flatten() > 0
    if not bool(anew.any()):
        raise UserError("the mask has no white: nothing would be drawn", "paint white where the picture is to change")
    return Kept(codes, ~anew)


def keep_rows(session: Session, image: Image.Image, rows: int) -> Kept:
    """The codes of a picture, kept in its first ``rows`` rows of codes.

    Raises:
        UserError: there are not so many rows, or the model cannot do it.
    """
    codes, (height, columns) = _codes(session, image)
    if not 1 <= rows < height:
        raise UserError(
            f"--keep-rows {rows} is not possible: a picture has {height} rows of codes", f"1 to {height - 1}"
        )
    return Kept(codes, torch.arange(height * columns, device=codes.device) < rows * columns)


@torch.inference_mode()
def _codes(session: Session, image: Image.Image) -> tuple[Tensor, tuple[int, int]]:
    """int64 [N, C] of a picture, and the rows and columns of its grid."""
    model = session.built.model
    if model.code_layout is None or session.built.target_transform is None:
        raise UserError("this model has no generation parts, so it cannot draw", "train with a recipe that has them")
    if model.code_layout.grid is None:
        raise UserError("this model's codes lie in no grid, so no place of a picture belongs to a code")
    model.eval()
    return model.encode_pixels(_pixels(session, image))[0], model.code_layout.grid


def _pixels(session: Session, image: Image.Image) -> Tensor:
    """float [1, 3, S, S] in [-1, 1], resized and cropped as the pictures that the model learns to draw."""
    transform = session.built.target_transform
    assert transform is not None
    pixels: Tensor = transform.collate([transform(image)])
    return pixels.to(device_of(session.built.model))
