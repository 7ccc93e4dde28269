"""``janus train``: run the stages of a recipe."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", metavar="RECIPE", help="a recipe file, its folder, or the name of a shipped recipe")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="A.B=C",
        dest="sets",
        help="change one value, e.g. model.encoders.image.type=eva_clip; repeatable",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the run (default: runs/<recipe>-<time>)")
    parser.add_argument(
        "--init",
        type=Path,
        metavar="DIR",
        help="start from this checkpoint or run; a recipe without a model section takes the checkpoint's",
    )
    parser.add_argument("--resume", action="store_true", help="continue the run in --out")
    parser.add_argument("--no-progress", action="store_true", help="no progress bars")
    parser.epilog = "example: janus train quickstart --out runs/first --set stages.0.steps=50"


def run(arguments: argparse.Namespace) -> int:
    from janus_core.cli.recipe import load_checked
    from janus_core.errors import UserError

    if arguments.resume and arguments.out is None:
        raise UserError("--resume needs the folder of the run", "add --out DIR")
    recipe, folder = load_checked(arguments.recipe, arguments.sets, arguments.init)
    out = arguments.out or Path("runs") / f"{recipe.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    from janus_core.training.processes import begun_as
    from janus_core.training.runner import Interrupted, train

    first = begun_as(recipe.run) == 0

    try:
        train(
            recipe,
            folder=folder,
            out=out,
            resume=arguments.resume,
            progress=not arguments.no_progress,
            say=lambda text: print(text, file=sys.stderr, flush=True),
        )
    except Interrupted as stop:
        sets = "".join(f" --set {shlex.quote(text)}" for text in arguments.sets)
        sets += f" --init {arguments.init}" if arguments.init else ""
        if first:
            command = f"janus train {arguments.recipe}{sets} --out {out} --resume"
            print(f"{stop}\ncontinue with: {command}", file=sys.stderr)
        return 130
    if not first:
        return 0
    print(f'trained: {out}\nnext:\n  janus answer --model {out} IMAGE "question"\n  janus draw --model {out} "prompt"')
    return 0
