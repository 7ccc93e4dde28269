"""``janus answer``: images and questions -> text."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

    from janus_core.inference.session import Session
    from janus_core.interfaces import Message


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from janus_core.cli.model_arguments import add_model, add_sampling, at_least_one

    parser.add_argument(
        "image", nargs="?", metavar="IMAGE", help="an image file; leave it out for a question about nothing"
    )
    parser.add_argument("question", nargs="?", metavar="QUESTION", help="what to ask")
    parser.add_argument(
        "--image", action="append", default=[], dest="images", metavar="FILE", help="one more image; repeatable"
    )
    parser.add_argument(
        "--then", action="append", default=[], metavar="QUESTION", help="ask on after the answer; repeatable"
    )
    parser.add_argument(
        "--chat",
        type=Path,
        metavar="FILE.json",
        help='a conversation to go on with: [{"role": "user", "content": "<image>\\nwhat?", "images": ["a.png"]}, …]',
    )
    parser.add_argument("--system", metavar="TEXT", help="system text in place of the model's own; '' for none")
    add_model(parser)
    add_sampling(parser, temperature=0.0)
    parser.add_argument(
        "--max-new-tokens", type=at_least_one, default=128, metavar="N", help="longest answer; default: 128"
    )
    parser.add_argument("--stream", action="store_true", help="print while it answers, also into a file or a pipe")
    parser.epilog = 'example: janus answer picture.png "what is at the top left?" --then "and below it?"'


def run(arguments: argparse.Namespace) -> int:
    from janus_core.cli.model_arguments import open_session
    from janus_core.errors import UserError

    if arguments.question is None:  # one word is the question, two are an image and a question
        arguments.image, arguments.question = None, arguments.image
    if (arguments.question is None) == (arguments.chat is None):
        raise UserError("give either a QUESTION or a conversation with --chat", 'janus answer IMAGE "question"')
    if arguments.chat is not None and (arguments.image or arguments.images):
        raise UserError("--chat names its own images", "write them into the file")
    if arguments.chat is None:
        images = _images([*([arguments.image] if arguments.image else []), *arguments.images])
    session = open_session(arguments)
    if arguments.chat is not None:
        from janus_core.cli.chat_file import read_chat

        messages = read_chat(arguments.chat, session.image_route())
    else:
        messages = [session.question(images, arguments.question.strip())]
    _converse(session, messages, arguments)
    return 0


def _images(paths: list[str]) -> list[Image.Image]:
    from janus_core.data.images import ImageError, load_image
    from janus_core.errors import UserError

    try:
        return [load_image(path) for path in paths]
    except ImageError as error:
        raise UserError(str(error), "give a PNG, JPEG, WebP, GIF ... file") from error


def _converse(session: Session, messages: list[Message], arguments: argparse.Namespace) -> None:
    """Answer the last message, then ask what is to be asked after it."""
    from janus_core.inference.session import printable
    from janus_core.interfaces import Message, Sampling

    sampling = Sampling(arguments.temperature, arguments.top_k, arguments.top_p)
    stream = arguments.stream or sys.stdout.isatty()
    for following in [*arguments.then, None]:
        shown = 0

        def say(_: int, text: str) -> None:
            nonlocal shown
            sys.stdout.write(printable(text[shown:]))
            sys.stdout.flush()
            shown = len(text)

        (answer,) = session.answer(
            [messages],
            max_new_tokens=arguments.max_new_tokens,
            sampling=sampling,
            seed=arguments.seed,
            system=arguments.system,
            on_text=say if stream else None,
        )
        print(printable(answer[shown:]))
        if following is not None:
            messages = [*messages, Message("assistant", (answer,)), Message("user", (following.strip(),))]
