"""``janus draw``: a prompt -> images."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from janus_core.cli.drawing_arguments import add_drawing

    parser.add_argument("prompt", metavar="PROMPT", help="what to draw")
    add_drawing(parser)
    parser.epilog = 'example: janus draw "a cat at the top left on a blue background" --out cat.png'


def run(arguments: argparse.Namespace) -> int:
    from janus_core.cli.drawing_arguments import check_out, draw, write
    from janus_core.cli.model_arguments import open_session

    check_out(arguments)
    write(draw(open_session(arguments), arguments), arguments)
    return 0
