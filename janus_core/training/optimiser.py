"""Parameter groups and the learning-rate schedule of a stage."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from janus_core.errors import UserError


def parameter_groups(
    parts: Mapping[str, nn.Module], *, rate: float, factors: Mapping[str, float], weight_decay: float
) -> list[dict[str, Any]]:
    """AdamW groups of the parameters that train: a rate by part, weight decay on matrices only.

    Raises:
        UserError: a pattern of ``factors`` matches no part, or nothing trains.
    """
    for pattern in factors:
        if not fnmatch.filter(parts, pattern):
            raise UserError(f"learning_rates: {pattern!r} matches no part", f"parts: {', '.join(parts)}")
    groups: list[dict[str, Any]] = []
    seen: set[int] = set()
    for name, part in parts.items():
        factor = math.prod(value for pattern, value in factors.items() if fnmatch.fnmatch(name, pattern))
        trained = [p for p in part.parameters() if p.requires_grad and id(p) not in seen]
        seen |= {id(p) for p in trained}
        for decay in (True, False):
            chosen = [p for p in trained if (p.dim() >= 2) == decay]
            if chosen:
                groups.append(
                    {
                        "name": f"{name}{'' if decay else ' (vectors)'}",
                        "params": chosen,
                        "lr": rate * factor,
                        "weight_decay": weight_decay if decay else 0.0,
                    }
                )
    if not groups:
        raise UserError("nothing trains in this stage", "name parts that have parameters in train")
    return groups


def schedule(kind: str, *, warmup: int, steps: int, final: float) -> Callable[[int], float]:
    """step -> factor on the rate: linear warm-up, then constant, cosine or linear to ``final`` at the last step."""

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        done = (step - warmup) / max(1, steps - warmup)
        if kind == "constant":
            return 1.0
        fall = 0.5 * (1 + math.cos(math.pi * min(1.0, done))) if kind == "cosine" else 1 - min(1.0, done)
        return final + (1 - final) * fall

    return factor
