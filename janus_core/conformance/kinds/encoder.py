"""Running understanding encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from janus_core.conformance.check import Fault
from janus_core.conformance.kinds.drive import Bad, Drive, Out, weighed
from janus_core.interfaces import Features, Prepared

if TYPE_CHECKING:
    from janus_core.conformance.subject import Subject


class EncoderDrive(Drive):
    """Items are prepared inputs; the transform joins them."""

    members = {"modality": "str", "width": "int", "forward": "method"}

    def items(self, subject: Subject, count: int, prepared: list[Prepared]) -> list[Any]:
        return list(prepared)

    def join(self, subject: Subject, items: list[Any]) -> Any:
        return subject.transform.collate(items)

    def run(self, module: nn.Module, batch: Any) -> Out:
        return Out([{"tokens": tokens} for tokens in real_tokens(features_of(module, batch))])

    def loss(self, module: nn.Module, batch: Any) -> Tensor:
        features = features_of(module, batch)
        tokens = features.tokens
        return weighed(tokens if features.mask is None else tokens * features.mask[..., None])

    def bad(self, module: nn.Module, subject: Subject) -> list[Bad]:
        found = [
            Bad("a word in place of a raw input, given to the transform", lambda: subject.transform("no input")),
            Bad("None in place of a raw input, given to the transform", lambda: subject.transform(None)),
        ]
        batch = subject.batch()
        if isinstance(batch, Tensor) and batch.ndim == 4:
            found += [
                Bad(f"a batch of shape {list(batch[0].shape)}, without batch axis", lambda: module(batch[0])),
                Bad(f"a batch of shape {list(batch[:, :2].shape)}", lambda: module(batch[:, :2])),
            ]
        return found


def features_of(module: nn.Module, batch: Any) -> Features:
    """The forward's features; `Fault` if they are something else."""
    found = module(batch)
    if not (isinstance(getattr(found, "tokens", None), Tensor) and found.tokens.ndim == 3):
        given = getattr(found, "tokens", found)
        shape = list(given.shape) if isinstance(given, Tensor) else type(given).__name__
        raise Fault(
            f"forward gives {shape}, not Features with tokens [B, N, width]",
            "return janus_core.interfaces.Features(tokens, mask)",
        )
    return found  # type: ignore[no-any-return]


def real_tokens(features: Features) -> list[Tensor]:
    """The real tokens of each item, [n, width]."""
    if features.mask is None:
        return list(features.tokens)
    return [tokens[mask] for tokens, mask in zip(features.tokens, features.mask, strict=True)]
