"""``janus export``: a checkpoint of ours -> DeepSeek's layout or Hugging Face's."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path, metavar="DIR", help="folder of a run or of a checkpoint")
    parser.add_argument(
        "--format",
        choices=("deepseek", "huggingface"),
        required=True,
        help="deepseek: for the original code; huggingface: for transformers' JanusForConditionalGeneration",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write, not there yet")
    parser.add_argument(
        "--dtype", choices=("bfloat16", "float16", "float32"), help="type of all tensors; default: as stored"
    )
    parser.add_argument(
        "--shard-size", type=float, default=5.0, metavar="GIB", help="largest file of weights; default: 5"
    )
    parser.add_argument("--no-progress", action="store_true", help="no progress bar")
    parser.epilog = "example: janus export runs/tuned --format huggingface --dtype bfloat16 --out tuned-hf"


def run(arguments: argparse.Namespace) -> int:
    import torch

    from janus_core.checkpoints.janus.write import export_checkpoint
    from janus_core.cli.progress import bar
    from janus_core.errors import UserError

    if arguments.shard_size <= 0:
        raise UserError(f"--shard-size {arguments.shard_size:g} is not above 0", "leave it out for 5")
    report = export_checkpoint(
        arguments.checkpoint,
        arguments.out,
        arguments.format,
        dtype=None if arguments.dtype is None else getattr(torch, arguments.dtype),
        shard=int(arguments.shard_size * 2**30),
        steps=bar("exporting", "tensor", arguments),
    )
    print(f"exported: {arguments.out} ({report.form} layout, roles {report.family})")
    print(f"  {report.keys} tensors, {report.size / 2**30:.2f} GiB")
    print(f"  types: {', '.join(f'{count} {name}' for name, count in report.dtypes.items())}")
    for note in report.notes:
        print(f"  note: {note}")
    return 0
