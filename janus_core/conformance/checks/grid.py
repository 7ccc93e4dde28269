"""Pixels and places of generation tokenizers: which number is white, and where a code paints."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from janus_core.conformance.check import TOKENIZER, Exempt, Fault, check
from janus_core.conformance.kinds.tokenizer import drawn_codes
from janus_core.conformance.orders import RASTER, order_of
from janus_core.conformance.subject import IMAGE_SIZE, Subject

T = (TOKENIZER,)
SLACK = 0.05
TRIES = 6


@check("pixels", "must", T, "the transform maps black to -1 and white to 1, keeps red first and left on the left",
       prevents="pictures that are learned in another scale, colour or direction than they are drawn in")  # fmt: skip
def pixel_scale(subject: Subject) -> None:
    subject.need("forward")

    def prepared(value: Any) -> Tensor:
        from PIL import Image

        (item,) = subject.prepared([Image.fromarray(np.broadcast_to(np.uint8(value), (64, 64, 3)).copy())])
        if not isinstance(item.inputs, Tensor) or item.inputs.ndim != 3 or item.inputs.shape[0] != 3:
            raise Exempt("its transform does not give pixels [3, H, W]")
        found: Tensor = item.inputs.float()
        return found

    for name, grey, wanted in (("black", 0, -1.0), ("white", 255, 1.0)):
        found = prepared(grey)
        if float((found - wanted).abs().max()) > SLACK:
            raise Fault(f"{name} becomes {float(found.mean()):.3g}, not {wanted:g}", "give x / 127.5 - 1")
    red = prepared([255, 0, 0]).mean(dim=(1, 2))
    if int(red.argmax()) != 0:
        raise Fault(f"red is in channel {int(red.argmax())}", "give RGB, red first")
    ramp = np.linspace(0, 255, 64)
    for name, axis, value in (("left and right", 2, ramp[None, :, None]), ("top and bottom", 1, ramp[:, None, None])):
        found = prepared(value)
        size = found.shape[axis] // 2
        if float(found.narrow(axis, 0, size).mean()) >= float(found.narrow(axis, size, size).mean()):
            raise Fault(f"{name} are exchanged", "do not flip pictures in the transform")


@check("code_grid", "must", T, "a code paints where it stands in the grid, row by row (exempt without a grid)",
       prevents="pictures whose rows and columns are exchanged, or that lack the first code")  # fmt: skip
def code_grid(subject: Subject) -> str:
    subject.need("forward")
    module: Any = subject.module
    layout = module.layout(IMAGE_SIZE)
    if layout.grid is None or layout.scales is not None:
        raise Exempt("its codes have no grid")
    rows, columns = layout.grid
    total = torch.zeros(layout.positions, layout.positions)
    for attempt in range(TRIES):  # two codes may be alike
        codes = drawn_codes(layout, torch.tensor([attempt])).to(subject.device)
        sizes = torch.tensor(layout.codebooks, device=codes.device)
        changed = codes.repeat(layout.positions, 1, 1)
        for position in range(layout.positions):
            changed[position, position] = (changed[position, position] + 1 + attempt) % sizes
        with torch.no_grad():
            gap = (module.decode(changed, layout) - module.decode(codes, layout)).abs().mean(dim=1)
        total += torch.nn.functional.adaptive_avg_pool2d(gap[:, None], (rows, columns)).flatten(1).cpu()
    silent = (total.amax(dim=1) == 0).nonzero().flatten().tolist()
    if silent:
        row, column = divmod(silent[0], columns)
        raise Fault(f"another code at row {row + 1}, column {column + 1} of {rows} x {columns} paints nothing",
                    "decode every code, the first one too")  # fmt: skip
    order, score = order_of(total, rows, columns)
    if order != RASTER:
        raise Fault(f"codes lie {order} in the picture", f"lay the grid {rows} x {columns} out row by row")
    return f"{rows} x {columns}: {score:.2g} times as much at its own place"
