"""``janus pretrain``: train a tokenizer or an encoder alone."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

KINDS = {"tokenizer": "generation_tokenizer", "encoder": "understanding_encoder"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=sorted(KINDS), help="what kind of part the recipe trains")
    parser.add_argument(
        "recipe", metavar="RECIPE", help="a recipe file, or the name of a shipped one, e.g. quickstart/tokenizer"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="A.B=C", dest="sets", help="change one value; repeatable"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write (default: runs/<recipe>-<time>)")
    parser.add_argument("--no-progress", action="store_true", help="no progress bar")
    parser.epilog = "example: janus pretrain tokenizer quickstart/tokenizer --out runs/tokenizer"


def run(arguments: argparse.Namespace) -> int:
    from janus_core.config.catalog import find_recipe
    from janus_core.config.choose import choose, choose_losses
    from janus_core.config.load import load
    from janus_core.config.recipe import PretrainRecipe
    from janus_core.errors import UserError

    path = find_recipe(arguments.recipe)
    recipe = load(PretrainRecipe, path, arguments.sets)
    if recipe.kind != KINDS[arguments.kind]:
        other = next(word for word, kind in KINDS.items() if kind == recipe.kind)
        raise UserError(f"{path} trains a {recipe.kind}", f"write: janus pretrain {other} {arguments.recipe}")
    choose_losses(choose(recipe.kind, recipe.part, "part"), recipe.losses, "losses")
    choose("data_source", recipe.source, "source")
    from janus_core.training.pretrain import pretrain

    out = arguments.out or Path("runs") / f"{recipe.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    pretrain(
        recipe,
        folder=path.parent,
        out=out,
        progress=not arguments.no_progress,
        say=lambda text: print(text, file=sys.stderr),
    )
    weights = (out / "weights.safetensors").resolve()
    print(f"trained: {out}\nnext: in a recipe, give the part the option\n  weights: {weights}")
    return 0
