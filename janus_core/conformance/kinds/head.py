"""Running generation heads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from janus_core.conformance.check import Fault
from janus_core.conformance.kinds.drive import Bad, Drive, Out
from janus_core.inference.noise import KeyedGumbel
from janus_core.interfaces import CodeLayout, Prepared, Sampling

if TYPE_CHECKING:
    from janus_core.conformance.subject import Subject

WIDTH = 32
LAYOUT = CodeLayout(positions=16, grid=(4, 4), codebooks=(11,))
TWO = CodeLayout(positions=16, grid=(4, 4), codebooks=(11, 7))


class HeadDrive(Drive):
    """Items are a hidden state, the codes that follow it, and the key of its noise."""

    members = {"loss": "method", "sample": "method"}

    @property
    def layout(self) -> CodeLayout:
        return TWO if self.component.spec.capabilities.get("codebooks") == "any" else LAYOUT

    @property
    def sizes(self) -> dict[str, Any]:
        return {"width": WIDTH, "layout": self.layout}

    def items(self, subject: Subject, count: int, prepared: list[Prepared]) -> list[Any]:
        return list(range(count))

    def join(self, subject: Subject, items: list[Any]) -> Any:
        return {"hidden": states(items), "codes": codes_for(self.layout, items), "keys": torch.tensor(items)}

    def run(self, module: Any, batch: Any) -> Out:
        hidden, codes = batch["hidden"], batch["codes"]
        drawn = module.sample(hidden, noise_of(batch["keys"].tolist(), hidden.device), Sampling())
        singles = [module.loss(hidden[i : i + 1], codes[i : i + 1], self.layout)[0] for i in range(len(hidden))]
        wrong = [loss for loss in singles if not isinstance(loss, Tensor)]
        if wrong:
            raise Fault(f"loss gives a {type(wrong[0]).__name__}", "give a tensor (sum of the losses) and an int")
        return Out([{"codes": c, "loss": loss} for c, loss in zip(drawn, singles, strict=True)])

    def loss(self, module: Any, batch: Any) -> Tensor:
        found: Tensor = module.loss(batch["hidden"], batch["codes"], self.layout)[0]
        return found

    def bad(self, module: nn.Module, subject: Subject) -> list[Bad]:
        batch, head = subject.batch(), _any(module)
        hidden, codes = batch["hidden"], batch["codes"]
        other = CodeLayout(16, (4, 4), (*self.layout.codebooks, 5))
        return [
            Bad("codes for one state too few", lambda: head.loss(hidden, codes[:-1], self.layout)),
            Bad(f"a layout with codebooks {other.codebooks}", lambda: head.loss(hidden, codes, other)),
            Bad("an odd number of rows with guidance 2", lambda: head.sample(
                hidden[:1], noise_of([0], hidden.device), Sampling(guidance=2.0))),
        ]  # fmt: skip


def states(keys: Sequence[int]) -> Tensor:
    """float [rows, WIDTH], a row for each key."""
    return torch.stack([torch.randn(WIDTH, generator=torch.Generator().manual_seed(key)) for key in keys])


def codes_for(layout: CodeLayout, keys: Sequence[int]) -> Tensor:
    """int64 [rows, C]."""
    return torch.tensor([[(3 * key + 1 + c) % size for c, size in enumerate(layout.codebooks)] for key in keys])


def noise_of(keys: Sequence[int], device: torch.device, seed: int = 5) -> Any:
    """Noise keyed by row."""
    return KeyedGumbel([(seed, key) for key in keys], device).at(0)


def _any(module: nn.Module) -> Any:
    return module
