"""Running language models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from janus_core.conformance.check import Fault
from janus_core.conformance.kinds.drive import Bad, Drive, Out, weighed
from janus_core.interfaces import Prepared, SequenceLayout

if TYPE_CHECKING:
    from janus_core.conformance.subject import Subject

VOCABULARY = 37
LENGTH = 9


class LanguageModelDrive(Drive):
    """Items are ids of one row; ``extra`` is added to the embeddings, as features of another modality are put in."""

    members = {
        "width": "int",
        "vocabulary": "int",
        "embed": "method",
        "forward": "method",
        "text_logits": "method",
        "new_cache": "method",
        "resize_vocabulary": "method",
        "blocks": "method",
    }

    @property
    def sizes(self) -> dict[str, Any]:
        return {"vocabulary": VOCABULARY}

    def items(self, subject: Subject, count: int, prepared: list[Prepared]) -> list[Any]:
        return [ids_of(seed) for seed in range(count)]

    def join(self, subject: Subject, items: list[Any]) -> Any:
        return {"ids": torch.stack(items), "extra": torch.zeros(len(items), len(items[0]), 1)}

    def run(self, module: Any, batch: Any) -> Out:
        hidden = self.hidden(module, batch)
        logits = module.text_logits(hidden)
        return Out([{"hidden": h, "logits": row} for h, row in zip(hidden, logits, strict=True)])

    def hidden(self, module: Any, batch: Any) -> Tensor:
        """Hidden states of plain rows."""
        embeds = module.embed(batch["ids"])
        given, layout = embeds + batch["extra"].to(embeds.dtype), plain_layout(*batch["ids"].shape)
        kept, places = given.detach().clone(), layout.positions.clone()
        found: Tensor = module(given, layout)
        if not torch.equal(given.detach(), kept) or not torch.equal(layout.positions, places):
            raise Fault(
                "the forward changes embeds or positions in place", "write x = x + y, not x += y, on what is given"
            )
        return found

    def loss(self, module: Any, batch: Any) -> Tensor:
        hidden = self.hidden(module, batch)
        return weighed(hidden) + weighed(module.text_logits(hidden))

    def bad(self, module: nn.Module, subject: Subject) -> list[Bad]:
        model: Any = module
        ids = subject.batch()["ids"]
        embeds = model.embed(ids[:1])
        wrong = SequenceLayout(torch.arange(LENGTH)[None], (LENGTH - 2,))
        return [
            Bad("lengths that do not sum to the number of tokens", lambda: model(embeds, wrong)),
            Bad("positions for one token too few", lambda: model(embeds, plain_layout(1, LENGTH - 1))),
            Bad("a vocabulary of 0 rows", lambda: model.resize_vocabulary(0)),
        ]


def ids_of(seed: int, length: int = LENGTH) -> Tensor:
    """int64 [length]."""
    return torch.randint(0, VOCABULARY, (length,), generator=torch.Generator().manual_seed(seed))


def plain_layout(rows: int, length: int) -> SequenceLayout:
    """Every row one causal sequence."""
    return SequenceLayout(torch.arange(length).expand(rows, length).contiguous())
