"""``janus merge``: LoRA weights -> the weights that they update."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path, metavar="DIR", help="folder of a run that trained LoRA weights")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write, not there yet")
    parser.epilog = "example: janus merge runs/tuned --out models/tuned"


def run(arguments: argparse.Namespace) -> int:
    from janus_core.checkpoints.janus.read import check_target
    from janus_core.checkpoints.own import merge_checkpoint

    check_target(arguments.out)
    merge_checkpoint(arguments.checkpoint, arguments.out)
    print(f"merged: {arguments.out}")
    return 0
