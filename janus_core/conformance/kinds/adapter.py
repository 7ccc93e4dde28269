"""Running adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from janus_core.conformance.kinds.drive import Bad, Drive, Out, weighed
from janus_core.conformance.kinds.encoder import features_of, real_tokens
from janus_core.interfaces import Features, Prepared

if TYPE_CHECKING:
    from janus_core.conformance.subject import Subject

IN, OUT = 24, 32
TOKENS = 16
"""A square number, for adapters that join neighbours of a grid."""


class AdapterDrive(Drive):
    """Items are tokens of one input."""

    members = {"num_tokens": "method", "forward": "method"}

    @property
    def sizes(self) -> dict[str, Any]:
        return {"in_width": OUT if self.component.spec.capabilities.get("equal_widths") else IN, "out_width": OUT}

    def items(self, subject: Subject, count: int, prepared: list[Prepared]) -> list[Any]:
        return [tokens(self.sizes["in_width"], TOKENS, seed) for seed in range(count)]

    def join(self, subject: Subject, items: list[Any]) -> Any:
        return Features(torch.stack(items))

    def run(self, module: nn.Module, batch: Any) -> Out:
        return Out([{"tokens": tokens} for tokens in real_tokens(features_of(module, batch))])

    def loss(self, module: nn.Module, batch: Any) -> Tensor:
        return weighed(features_of(module, batch).tokens)

    def bad(self, module: nn.Module, subject: Subject) -> list[Bad]:
        found = subject.batch().tokens
        return [
            Bad(f"tokens {list(found[..., 1:].shape)}, one too narrow", lambda: module(Features(found[..., 1:]))),
            Bad(f"tokens {list(found[0].shape)}, without batch axis", lambda: module(Features(found[0]))),
        ]


def tokens(width: int, count: int, seed: int) -> Tensor:
    """float [count, width]."""
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))
