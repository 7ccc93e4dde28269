"""``janus plugins new``: write the distribution of a new plugin."""

from __future__ import annotations

import argparse
from pathlib import Path

KINDS = ("encoder", "tokenizer", "adapter", "head", "language-model")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("name", metavar="NAME", help="name of the plugin, with or without 'janus-' before it")
    parser.add_argument("--kind", required=True, choices=KINDS, help="what it holds")
    parser.add_argument(
        "--wrap",
        metavar="LIBRARY:MODEL",
        help="encoder only: make it of a model of timm, open_clip or transformers, such as timm:resnet50",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write (default: ./janus-NAME)")
    parser.add_argument("--author", metavar="'NAME <ADDRESS>'", help="who wrote it; the address may be left away")
    parser.add_argument("--licence", default="Apache-2.0", metavar="SPDX", help="its licence (default: Apache-2.0)")


def new(arguments: argparse.Namespace) -> int:
    """Write the plugin and say what comes next.

    Raises:
        UserError: a wrong or taken name, an unknown licence or model, a folder that exists.
    """
    from janus_core.errors import UserError
    from janus_core.scaffold.distribution import Plan, check_absent, render, write
    from janus_core.scaffold.licences import TEXTS, author_of, licence_of
    from janus_core.scaffold.names import names_of
    from janus_core.scaffold.wraps import describe

    if arguments.wrap is not None and arguments.kind != "encoder":
        raise UserError(f"--wrap makes encoders, not {arguments.kind}s", "write --kind encoder, or leave --wrap away")
    names = names_of(arguments.name)
    target: Path = arguments.out if arguments.out is not None else Path(names.distribution)
    licence = licence_of(arguments.licence)
    author = author_of(arguments.author) if arguments.author is not None else None
    check_absent(target)
    wrapped = describe(arguments.wrap) if arguments.wrap is not None else None
    write(render(Plan(names, arguments.kind, licence, author, wrapped)), target)
    print(f"written: {target}")
    if licence not in TEXTS:
        print(f"its licence is {licence}: put the text into {target / 'LICENSE'}")
    print(f"next:\n  pip install -e {target}\n  janus plugins check {names.distribution}")
    return 0
