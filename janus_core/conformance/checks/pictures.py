"""Whether every part of a picture is seen, and where."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from janus_core.conformance.check import ENCODER, Exempt, Fault, check
from janus_core.conformance.inputs import pixels
from janus_core.conformance.orders import RASTER, order_of
from janus_core.conformance.subject import Subject

SIDE = 128
LARGEST_GRID = 4
CLEAR = 0.6
"""A cell is elsewhere if its own tokens change by less than this fraction of what the strongest do."""
WEAK = 0.2
"""A cell is dropped if it changes the tokens by less than this fraction of what the middle cell does."""


@check(
    "first_patch",
    "must",
    (ENCODER,),
    "changing only one cell of the picture, the top left one too, changes the tokens",
    prevents="a first patch that is dropped as if it were a class token (TinyLLaVA with SigLIP: 728 of 729)",
)
def first_patch(subject: Subject) -> str:
    effects, grid = cell_effects(subject)
    strength = effects.amax(dim=1)
    usual = float(strength.median())
    if usual == 0:
        raise Fault("changing a cell of the picture changes no token", "let the tokens depend on the picture")
    worst = int(strength.argmin())
    if float(strength[worst]) < WEAK * usual:
        place = "top left" if worst == 0 else f"row {worst // grid + 1}, column {worst % grid + 1}"
        cause = "the first patch is dropped" if worst == 0 else "a patch is dropped"
        raise Fault(
            f"changing only the cell at {place} of {grid} x {grid} changes the tokens by {float(strength[worst]):.2g}, "
            f"changing another by {usual:.2g}: {cause}",
            "drop a prefix token only where the model has one (num_prefix_tokens), and keep every patch",
        )
    return f"{grid} x {grid} cells"


@check(
    "patch_order",
    "should",
    (ENCODER,),
    "a square number of tokens is the grid of patches in raster order",
    prevents="adapters that join neighbours joining strangers",
    unless="raster",
)
def patch_order(subject: Subject) -> str:
    codes = subject.capability("gradient_to_input") is False
    effects, grid = cell_effects(subject, *((True, 6) if codes else ()))
    count = effects.shape[1]
    side = math.isqrt(count)
    if side * side != count or side % grid:
        raise Exempt(f"{count} tokens are no grid of the {grid} x {grid} cells")
    each = side // grid
    cells = effects.view(len(effects), grid, each, grid, each).amax(dim=(2, 4)).flatten(1)
    if codes:  # a code that flips far away weighs as much as the cell's own: only an order of them all can be told
        order, score = order_of(cells, grid, grid)
        if order != RASTER:
            raise Fault(f"tokens lie {order}", "give tokens in raster order, or declare the capability raster: False")
        return f"{grid} x {grid} cells: {score:.2g} times as much at its own place"
    wrong = [cell for cell, strongest in enumerate(cells.argmax(dim=1).tolist()) if strongest != cell]
    far = [cell for cell in wrong if float(cells[cell, cell]) < CLEAR * float(cells[cell].max())]
    if len(wrong) > len(cells) // 4 or far:  # attention may move a few, and not far
        wrong = far or wrong
        raise Fault(
            f"cell {wrong[0]} of {grid} x {grid} changes most the tokens of cell {int(cells[wrong[0]].argmax())}",
            "give tokens in raster order, or declare the capability raster: False",
        )
    return f"{grid} x {grid} cells"


def cell_effects(subject: Subject, summed: bool = False, contents: int = 2) -> tuple[torch.Tensor, int]:
    """Change of each token by each cell of the picture, [cells, tokens], and the cells a side.

    Args:
        summed: over the contents; or else the largest.
        contents: that each cell is changed to: a code may happen to stay the same.
    """
    subject.need("forward")
    if subject.component.spec.modality != "image":
        raise Exempt(f"its modality is {subject.component.spec.modality}, not image")
    from PIL import Image

    count = len(subject.outputs.items[0]["tokens"])
    grid = min(max(math.ceil(math.sqrt(count)), 2), LARGEST_GRID)
    while grid > 2 and math.ceil(math.sqrt(count)) % grid:
        grid -= 1
    base, step = pixels(3, SIDE, SIDE), SIDE // grid
    effects: Any = None
    for seed in range(1, contents + 1):
        other, pictures = pixels(40 + seed, SIDE, SIDE), [base]
        for cell in range(grid * grid):
            changed, row, column = base.copy(), cell // grid * step, cell % grid * step
            changed[row : row + step, column : column + step] = other[row : row + step, column : column + step]
            pictures.append(np.ascontiguousarray(changed))
        items = subject.prepared([Image.fromarray(picture) for picture in pictures])
        out = torch.stack([item["tokens"] for item in subject.run(batch=subject.batch(items)).items]).float()
        found = (out[1:] - out[:1]).norm(dim=-1).cpu()
        effects = found if effects is None else effects + found if summed else torch.maximum(effects, found)
    return effects, grid
