"""What ``draw`` and ``inpaint`` share: how codes are chosen, and where pictures are written."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from janus_core.inference.session import Drawing, Session


def add_drawing(parser: argparse.ArgumentParser) -> None:
    from janus_core.cli.model_arguments import add_model, add_sampling, at_least_one, at_least_zero

    add_model(parser)
    add_sampling(parser, temperature=1.0)
    parser.add_argument(
        "--guidance",
        type=at_least_zero,
        default=None,
        metavar="W",
        help="weight of classifier-free guidance, 1 is off; default: the recipe's, else 5",
    )
    parser.add_argument("--negative", metavar="PROMPT", help="what guidance leads away from, in place of no prompt")
    parser.add_argument("-n", "--images", type=at_least_one, default=1, metavar="N", help="how many; default: 1")
    parser.add_argument(
        "--batch-size", type=at_least_one, default=16, metavar="N", help="drawn at once; changes no picture"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("drawing.png"),
        metavar="FILE",
        help="PNG to write, numbered if there are several; default: drawing.png",
    )
    parser.add_argument(
        "--codes", type=Path, metavar="FILE.npy", help="also write the codes, int64 [images, positions, codebooks]"
    )
    parser.add_argument("--no-progress", action="store_true", help="no progress bar")


def check_out(arguments: argparse.Namespace) -> None:
    """`UserError` unless --out is a PNG."""
    from janus_core.errors import UserError

    if arguments.out.suffix.lower() != ".png":
        raise UserError(f"--out {arguments.out} is not a .png", f"write --out {arguments.out.with_suffix('.png')}")


def draw(session: Session, arguments: argparse.Namespace, **more: Any) -> list[Drawing]:
    """The pictures that the arguments ask for."""
    from janus_core.cli.progress import bar
    from janus_core.errors import UserError
    from janus_core.interfaces import Sampling

    guidance = session.facts["guidance"] if arguments.guidance is None else arguments.guidance
    if arguments.negative is not None and guidance == 1:
        raise UserError("--negative has no effect at guidance 1", "add --guidance 2, say")
    return session.draw(
        [arguments.prompt],
        images_per_prompt=arguments.images,
        sampling=Sampling(arguments.temperature, arguments.top_k, arguments.top_p, guidance),
        seed=arguments.seed,
        negative=arguments.negative,
        batch_size=arguments.batch_size,
        progress=bar("drawing", "code", arguments),
        **more,
    )


def write(drawings: list[Drawing], arguments: argparse.Namespace) -> None:
    """Write the pictures, and the codes if they are wanted, and print the names of the files."""
    import numpy as np
    import torch

    from janus_core.checkpoints.atomic import atomic_file

    for drawing in drawings:
        path = arguments.out
        if len(drawings) > 1:
            path = path.with_stem(f"{path.stem}-{drawing.number}")
        with atomic_file(path) as partial:
            drawing.image.save(partial, format="PNG")
        print(path)
    if arguments.codes is not None:
        with atomic_file(arguments.codes) as partial, partial.open("wb") as file:
            np.save(file, torch.stack([drawing.codes for drawing in drawings]).numpy())
        print(arguments.codes)
