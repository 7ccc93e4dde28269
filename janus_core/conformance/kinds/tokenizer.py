"""Running generation tokenizers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from janus_core.conformance.kinds.drive import Bad, Drive, Out, weighed
from janus_core.interfaces import CodeLayout, Prepared

if TYPE_CHECKING:
    from janus_core.conformance.subject import Subject


class TokenizerDrive(Drive):
    """Items are a prepared picture and codes to decode: what is decoded must not hang on a code at an edge."""

    members = {"code_width": "int", "layout": "method", "encode": "method", "decode": "method", "embed": "method"}

    def items(self, subject: Subject, count: int, prepared: list[Prepared]) -> list[Any]:
        return list(enumerate(prepared))

    def join(self, subject: Subject, items: list[Any]) -> Any:
        pixels = subject.transform.collate([prepared for _, prepared in items])
        return {"pixels": pixels, "keys": torch.tensor([index for index, _ in items])}

    def run(self, module: Any, batch: Any) -> Out:
        layout: CodeLayout = module.layout(batch["pixels"].shape[-1])
        codes = drawn_codes(layout, batch["keys"])
        encoded, decoded, vectors = module.encode(batch["pixels"]), module.decode(codes, layout), module.embed(codes)
        return Out(
            [
                {"codes": c, "pixels": p, "vectors": v}
                for c, p, v in zip(encoded, decoded, vectors, strict=True)
            ]
        )  # fmt: skip

    def loss(self, module: Any, batch: Any) -> Tensor:
        layout = module.layout(batch["pixels"].shape[-1])
        codes = drawn_codes(layout, batch["keys"])
        return weighed(module.decode(codes, layout)) + weighed(module.embed(codes))

    def bad(self, module: nn.Module, subject: Subject) -> list[Bad]:
        pixels, tokenizer = subject.batch()["pixels"], _any(module)
        layout = tokenizer.layout(pixels.shape[-1])
        codes = drawn_codes(layout, torch.arange(1)).to(pixels.device)
        side = pixels.shape[-1]
        return [
            Bad("a word in place of a picture, given to the transform", lambda: subject.transform("no picture")),
            Bad(f"pixels {list(pixels[0].shape)}, without batch axis", lambda: tokenizer.encode(pixels[0])),
            Bad(f"pixels {list(pixels[:, :2].shape)}", lambda: tokenizer.encode(pixels[:, :2])),
            Bad(f"a layout for pictures of side -{side}", lambda: tokenizer.layout(-side)),
            Bad("one code too few for the layout", lambda: tokenizer.decode(codes[:, :-1], layout)),
        ]


def drawn_codes(layout: CodeLayout, keys: Tensor) -> Tensor:
    """int64 [B, N, C], the same for the same key."""
    rows = []
    for key in keys.tolist():
        generator = torch.Generator().manual_seed(1000 + key)
        columns = [torch.randint(0, size, (layout.positions,), generator=generator) for size in layout.codebooks]
        rows.append(torch.stack(columns, dim=-1))
    return torch.stack(rows).to(keys.device)


def _any(module: nn.Module) -> Any:
    return module
