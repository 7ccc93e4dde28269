"""In which order tokens or codes lie in the grid of a picture, told from what each cell changes."""

from __future__ import annotations

import torch
from torch import Tensor

CLEAR = 1.3
"""Another order is told from row by row if its cells change this many times as much."""
RASTER = "row by row"


def order_of(effects: Tensor, rows: int, columns: int) -> tuple[str, float]:
    """The order that explains best what changes where, and how many times the mean change its cells have.

    Args:
        effects: float [rows * columns, rows * columns]: change of each place by each cell of the picture, or of each
            cell by each place. What spreads evenly (attention, norms) and what moves always is divided out.
    """
    flat = effects / effects.mean(dim=1, keepdim=True).clamp(min=1e-9)
    flat = flat / flat.mean(dim=0, keepdim=True).clamp(min=1e-9)
    cells = torch.arange(rows * columns).view(rows, columns)
    orders = {
        RASTER: cells,
        "from right to left": cells.flip(1),
        "from bottom to top": cells.flip(0),
        "from the end to the beginning": cells.flip(0, 1),
        "shifted by one": cells.flatten().roll(1),
        "shifted by one back": cells.flatten().roll(-1),
    }
    if rows == columns:
        orders["column by column"] = cells.T
    scores = {name: float(flat[torch.arange(len(flat)), order.flatten()].mean()) for name, order in orders.items()}
    best = max(scores, key=scores.__getitem__)
    return (best, scores[best]) if scores[best] > CLEAR * scores[RASTER] else (RASTER, scores[RASTER])
