"""``janus inpaint``: a picture, a mask and a prompt -> the picture drawn anew inside the mask."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from janus_core.cli.drawing_arguments import add_drawing

    parser.description = (
        "Keep the codes of a picture outside a mask, or in its first rows, and draw the others from a prompt. The "
        "published Janus weights were never trained for this: they draw each code from those before it, top to bottom, "
        "and do not see what is kept below a hole. The kept part is what the tokenizer makes of the picture, not its "
        "pixels."
    )
    parser.add_argument(
        "image", metavar="IMAGE", help="the picture; its short side is scaled and its long side cropped"
    )
    parser.add_argument(
        "mask", nargs="?", metavar="MASK", help="a picture of the same size: white is drawn anew, black is kept"
    )
    parser.add_argument("prompt", metavar="PROMPT", help="what the whole picture shows")
    parser.add_argument(
        "--keep-rows", type=int, metavar="K", help="in place of a mask: keep the first K rows of codes (variations)"
    )
    add_drawing(parser)
    parser.epilog = 'example: janus inpaint cat.png hole.png "a cat with a hat" --out hat.png'


def run(arguments: argparse.Namespace) -> int:
    from janus_core.cli.drawing_arguments import check_out, draw, write
    from janus_core.cli.model_arguments import open_session
    from janus_core.errors import UserError
    from janus_core.inference.inpaint import keep_outside, keep_rows

    check_out(arguments)
    if (arguments.mask is None) == (arguments.keep_rows is None):
        raise UserError(
            "what is to be kept must be said once",
            'janus inpaint IMAGE MASK "prompt", or janus inpaint IMAGE "prompt" --keep-rows K',
        )
    image = _open(arguments.image)
    mask = None if arguments.mask is None else _open(arguments.mask)
    session = open_session(arguments)
    kept = keep_rows(session, image, arguments.keep_rows) if mask is None else keep_outside(session, image, mask)
    write(draw(session, arguments, kept=kept), arguments)
    return 0


def _open(path: str) -> Image.Image:
    from janus_core.data.images import ImageError, load_image
    from janus_core.errors import UserError

    try:
        return load_image(path)
    except ImageError as error:
        raise UserError(str(error), "give a PNG, JPEG, WebP, GIF ... file") from error
