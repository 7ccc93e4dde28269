"""Codes of generation tokenizers: their range, both directions, and their vectors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from janus_core.conformance.check import TOKENIZER, Fault, check
from janus_core.conformance.kinds.tokenizer import drawn_codes
from janus_core.conformance.subject import IMAGE_SIZE, Subject
from janus_core.conformance.tree import distance

T = (TOKENIZER,)
LARGEST = 16.0
"""About in [-1, 1]: a decoder with random weights may leave it, but pixels of 0 to 255 are another scale."""


def _codes(subject: Subject, rows: int = 2) -> tuple[Any, Any, Tensor]:
    subject.need("forward")
    module: Any = subject.module
    layout = module.layout(IMAGE_SIZE)
    return module, layout, drawn_codes(layout, torch.arange(rows)).to(subject.device)


@check("code_range", "must", T, "codes are int64 in [0, K) of their codebook",
       prevents="an index error on the GPU, far from its cause")  # fmt: skip
def code_range(subject: Subject) -> str:
    module, layout, _ = _codes(subject)
    codes = torch.stack([item["codes"] for item in subject.outputs.items])
    with torch.no_grad():
        codes = torch.cat((codes, module.encode(extreme_pixels(subject))))
    if codes.dtype != torch.int64:
        raise Fault(f"encode gives {str(codes.dtype)[6:]}", "give int64")
    for c, size in enumerate(layout.codebooks):
        low, high = int(codes[..., c].min()), int(codes[..., c].max())
        if low < 0 or high >= size:
            raise Fault(
                f"codebook {c} has {size} codes, but encode gives {low} to {high}", "give codes from 0 to K - 1"
            )
    return f"codebooks {layout.codebooks}"


def extreme_pixels(subject: Subject) -> Tensor:
    """float [8, 3, side, side]: black, white, grey, single colours, a chessboard, noise."""
    size = (3, IMAGE_SIZE, IMAGE_SIZE)
    colours = torch.full((3, *size), -1.0)
    for channel in range(3):
        colours[channel, channel] = 1.0
    board = (torch.arange(IMAGE_SIZE)[:, None] + torch.arange(IMAGE_SIZE)).remainder(2).mul(2.0).sub(1).expand(size)
    noise = torch.rand(size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    plain = [torch.full(size, value) for value in (-1.0, 1.0, 0.0)]
    return torch.stack([*plain, *colours, board, noise]).to(subject.device)


@check("decode_range", "must", T, "decode gives finite pixels [B, 3, H, W], about in [-1, 1]",
       prevents="pictures that are grey, black or inverted")  # fmt: skip
def decode_range(subject: Subject) -> str:
    module, layout, codes = _codes(subject, 3)
    extremes = codes.clone()
    for c, size in enumerate(layout.codebooks):
        extremes[0, :, c], extremes[1, :, c] = 0, size - 1
    with torch.no_grad():
        kept = extremes.clone()
        pixels = module.decode(extremes, layout)
        module.embed(extremes)
    if not torch.equal(extremes, kept):
        raise Fault("decode or embed changes the codes that it is given in place", "work on a copy")
    if list(pixels.shape) != [3, 3, IMAGE_SIZE, IMAGE_SIZE]:
        raise Fault(
            f"decode gives {list(pixels.shape)} for layout({IMAGE_SIZE})", f"give [B, 3, {IMAGE_SIZE}, {IMAGE_SIZE}]"
        )
    low, high = float(pixels.min()), float(pixels.max())
    if not bool(pixels.isfinite().all()) or max(-low, high) > LARGEST:
        raise Fault(f"pixels reach from {low:.3g} to {high:.3g}", "decode to about [-1, 1]")
    if low >= 0:
        raise Fault(f"no pixel is below 0 ({low:.3g} to {high:.3g}): this seems to be the scale [0, 1]",
                    "decode to about [-1, 1]: 2 * x - 1")  # fmt: skip
    return f"{low:.2f} to {high:.2f}"


@check("decode_refuses", "must", T, "a code out of range is refused with a ValueError that names it",
       prevents="a device-side assertion that kills a run on a GPU")  # fmt: skip
def decode_refuses(subject: Subject) -> None:
    module, layout, codes = _codes(subject, 1)
    for wrong in (layout.codebooks[0], -1):
        bad = codes.clone()
        bad[0, 0, 0] = wrong
        try:
            with torch.no_grad():
                module.decode(bad, layout)
        except ValueError as error:
            if str(wrong) not in str(error):
                raise Fault(f"the error for the code {wrong} does not name it: {error}", "name the code") from None
        except Exception as error:  # noqa: BLE001
            raise Fault(
                f"the code {wrong} raises {type(error).__name__}", "raise ValueError before looking up"
            ) from None
        else:
            raise Fault(f"decode takes the code {wrong} of {layout.codebooks[0]}", "raise ValueError that names it")


@check("code_round_trip", "must", T, "encode and decode fit each other in shape",
       prevents="pictures that cannot be encoded again, as inpainting does")  # fmt: skip
def code_round_trip(subject: Subject) -> None:
    module, layout, codes = _codes(subject)
    pixels = subject.batch()["pixels"]
    with torch.no_grad():
        again = module.decode(module.encode(pixels), layout)
        if again.shape != pixels.shape:
            raise Fault(f"decode(encode(x)) has shape {list(again.shape)}, x {list(pixels.shape)}", "keep the shape")
        back = module.encode(module.decode(codes, layout))
    if back.shape != codes.shape:
        raise Fault(f"encode(decode(codes)) has shape {list(back.shape)}, codes {list(codes.shape)}", "keep the shape")


@check("codes_matter", "must", T, "other pictures give other codes, other codes other pictures",
       prevents="a tokenizer that says nothing of the picture")  # fmt: skip
def codes_matter(subject: Subject) -> None:
    module, layout, codes = _codes(subject)
    _pictures_matter(subject)
    with torch.no_grad():
        pixels = module.decode(codes, layout)
    if distance(pixels[:1], pixels[1:]) == 0:
        raise Fault("all codes decode to the same picture", "decode from the codes")
    changed = codes[:1].clone()
    last = layout.positions - 1
    changed[0, last, 0] = (changed[0, last, 0] + 1) % layout.codebooks[0]
    with torch.no_grad():
        other = module.decode(changed, layout)
    if distance(pixels[:1], other) == 0:
        raise Fault("changing only the last code changes no pixel", "decode every position")


def _pictures_matter(subject: Subject) -> None:
    """Other pictures give other codes, and so do pictures that differ in their last rows only."""
    module: Any = subject.module
    pixels = extreme_pixels(subject)
    halves = pixels.clone()
    halves[:, :, : IMAGE_SIZE // 2] = 0  # all alike above
    with torch.no_grad():
        for what, found in (("", module.encode(pixels)), (" that differ in their lower half", module.encode(halves))):
            if len(torch.unique(found, dim=0)) == 1:
                raise Fault(f"{len(pixels)} different pictures{what} give the same codes", "encode every position")


@check("embed_matches", "must", T, "embed is a function of the code alone, and differs from code to code",
       prevents="an input table that is filled with the vectors of other codes", unless="embed_by_code")  # fmt: skip
def embed_matches(subject: Subject) -> None:
    module, layout, codes = _codes(subject, 1)
    with torch.no_grad():
        vectors = module.embed(codes)
        turned = module.embed(codes.flip(1)).flip(1)
        if distance(vectors, turned) > 1e-5:
            raise Fault("the vector of a code depends on its position", "look the code up in the codebook, no more")
        size = min(layout.codebooks[0], 8)
        few = codes[:, :1].repeat(size, 1, 1)
        few[:, 0, 0] = torch.arange(size, device=few.device)
        rows = module.embed(few)[:, 0]
        alone = module.embed(codes[:, :1])
        if distance(alone, vectors[:, :1]) > 1e-5:
            raise Fault(
                "the vector of a code depends on the codes beside it", "look the code up in the codebook, no more"
            )
    if len(torch.unique(rows, dim=0)) < size:
        raise Fault(f"of the first {size} codes some have the same vector", "look up the codebook's own rows")
