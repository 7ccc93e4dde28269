"""Counts the parameters of a recipe on the meta device: a recipe and its settings on stdin, JSON on stdout."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from janus_core.checkpoints.own import build_empty
from janus_core.config.load import load
from janus_core.config.recipe import Recipe


def count(recipe: Recipe, folder: Path) -> dict[str, int]:
    """Parameters in all, and those that any stage trains; a module in two roles counts once."""
    model = build_empty(recipe, folder).model
    everything = {id(parameter): parameter.numel() for parameter in model.parameters()}
    if recipe.lora is not None:  # the updates are what trains; they are not built here
        return {"total": sum(everything.values())}
    trained: set[int] = set()
    for stage in recipe.stages:
        model.set_trained(stage.train)
        trained |= {id(parameter) for parameter in model.parameters() if parameter.requires_grad}
    return {"total": sum(everything.values()), "trained": sum(everything[key] for key in trained)}


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    path = Path(asked["recipe"])
    print(json.dumps(count(load(Recipe, path, asked["sets"]), path.parent)))
