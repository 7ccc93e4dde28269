"""``janus import``: a published Janus checkpoint -> our own format."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        type=Path,
        metavar="SRC",
        help="folder of Janus-1.3B, Janus-Pro-1B or Janus-Pro-7B as downloaded, in DeepSeek's or Hugging Face's layout",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write, not there yet")
    parser.add_argument(
        "--family",
        choices=("1.3b", "pro"),
        help="roles that the weights were trained with: 1.3b is User and Assistant, pro is <|User|> and <|Assistant|>; "
        "needed only where the checkpoint's files do not tell",
    )
    parser.add_argument("--no-progress", action="store_true", help="no progress bar")
    parser.epilog = "example: janus import Janus-Pro-1B --out models/pro-1b"


def run(arguments: argparse.Namespace) -> int:
    from janus_core.checkpoints.janus.read import import_checkpoint
    from janus_core.cli.progress import bar

    report = import_checkpoint(
        arguments.source, arguments.out, family=arguments.family, steps=bar("importing", "tensor", arguments)
    )
    out = arguments.out
    print(f"imported: {out} ({report.form} layout, roles of {report.family})")
    print(f"  {report.parameters:,} parameters, {report.keys} tensors in the files, {report.size / 2**30:.2f} GiB")
    print(f"  types: {', '.join(f'{count} {name}' for name, count in report.dtypes.items())}")
    print(f"  token ids: {', '.join(f'{name} {number}' for name, number in report.tokens.items())}")
    for note in report.notes:
        print(f"  note: {note}")
    print(
        f'next:\n  janus info {out}\n  janus answer --model {out} IMAGE "question"\n  janus draw --model {out} "prompt"'
    )
    return 0
