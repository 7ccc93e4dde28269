"""``janus answer``: an image and a question -> text."""

from __future__ import annotations

import argparse
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from janus_core.cli.model_arguments import add_model, add_sampling, at_least_one

    parser.add_argument(
        "image", nargs="?", metavar="IMAGE", help="an image file; leave it out for a question about nothing"
    )
    parser.add_argument("question", metavar="QUESTION", help="what to ask")
    add_model(parser)
    add_sampling(parser, temperature=0.0)
    parser.add_argument(
        "--max-new-tokens", type=at_least_one, default=128, metavar="N", help="longest answer; default: 128"
    )
    parser.epilog = 'example: janus answer picture.png "what is at the top left?"'


def run(arguments: argparse.Namespace) -> int:
    from janus_core.cli.model_arguments import open_session
    from janus_core.data.images import ImageError, load_image
    from janus_core.errors import UserError
    from janus_core.inference.session import printable
    from janus_core.interfaces import Sampling

    try:
        image = None if arguments.image is None else load_image(arguments.image)
    except ImageError as error:
        raise UserError(str(error), "give a PNG, JPEG, WebP, GIF ... file") from error
    session = open_session(arguments)
    sampling = Sampling(arguments.temperature, arguments.top_k, arguments.top_p)
    shown = 0

    def stream(_: int, text: str) -> None:
        nonlocal shown
        sys.stdout.write(printable(text[shown:]))
        sys.stdout.flush()
        shown = len(text)

    answer = session.ask(
        image,
        arguments.question,
        max_new_tokens=arguments.max_new_tokens,
        sampling=sampling,
        seed=arguments.seed,
        on_text=stream if sys.stdout.isatty() else None,
    )
    print(printable(answer[shown:]))
    return 0
