"""What ``answer`` and ``draw`` share: which model, and how the next word or code is chosen."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from janus_core.inference.session import Session

QUICKSTART = "quickstart"


def add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        default=QUICKSTART,
        metavar="DIR",
        help="folder of a run or of a checkpoint; default: the shipped quickstart model",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda ...; default: auto")
    parser.add_argument(
        "--dtype",
        choices=("float32", "bfloat16", "float16"),
        help="type to compute in; default: as the checkpoint is stored",
    )


def add_sampling(parser: argparse.ArgumentParser, *, temperature: float) -> None:
    parser.add_argument(
        "--temperature",
        type=at_least_zero,
        default=temperature,
        metavar="T",
        help=f"0 takes the most likely; default: {temperature:g}",
    )
    parser.add_argument("--top-k", type=_count, default=0, metavar="K", help="keep the K most likely; default: all")
    parser.add_argument(
        "--top-p",
        type=_fraction,
        default=1.0,
        metavar="P",
        help="keep the smallest set with this probability; default: all",
    )
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same result; default: 0")


def open_session(arguments: argparse.Namespace) -> Session:
    """Load the model that the arguments name.

    Raises:
        UserError: there is none, or the device is not to be had.
    """
    import torch

    from janus_core.checkpoints.own import load_checkpoint
    from janus_core.config.catalog import recipes_folder
    from janus_core.errors import UserError
    from janus_core.inference.session import Session
    from janus_core.training.threads import choose_threads

    choose_threads(0)
    shipped = recipes_folder() / QUICKSTART / "checkpoint"
    named = Path(arguments.model)
    folder = shipped if arguments.model == QUICKSTART and not named.exists() else named
    built, recipe, facts = load_checkpoint(folder)
    device = arguments.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        built.model.to(device=device, dtype=None if arguments.dtype is None else getattr(torch, arguments.dtype))
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"--device {device}: {str(error).splitlines()[0]}", "use --device cpu") from error
    built.model.eval()
    return Session(built, recipe.name, facts | {"guidance": recipe.samples.guidance, "seed": recipe.seed})


def at_least_zero(text: str) -> float:
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number of 0 or more")
    return value


def _fraction(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most 1")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def at_least_one(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return value
