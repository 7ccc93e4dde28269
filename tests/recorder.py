"""Writes down what a training run does: sample ids, gradients and optimiser state of each step."""

from __future__ import annotations

import copy
import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NOT_COMPARED = ("tokens_per_second", "samples_per_second", "memory_gb")
"""Metrics that depend on the machine."""


class Killed(BaseException):
    """The run ends here, and nothing is saved any more."""


@dataclass
class Record:
    """What was seen, by number of the step from 0."""

    ids: dict[int, list[tuple[str, ...]]] = field(default_factory=dict)
    gradients: dict[int, dict[str, Any]] = field(default_factory=dict)
    optimiser: dict[str, Any] = field(default_factory=dict)

    def samples(self, step: int) -> list[str]:
        """Ids of the samples of a step, in whatever row."""
        return sorted(sample for row in self.ids[step] for sample in row)


@contextmanager
def recorded(*, dropout: float = 0.0, kill_after: int | None = None) -> Iterator[Record]:
    """Within, runs are recorded.

    Args:
        dropout: on the inputs of the language model, so that random streams matter.
        kill_after: the run dies after this many steps, whatever else follows a step being done.
    """
    import torch
    from torch.nn.functional import dropout as drop

    from janus_core.model.janus import JanusModel
    from janus_core.training.module import JanusTraining
    from janus_core.training.sharding import whole
    from janus_core.training.stopping import StopSoftly

    record = Record()
    step, update, embed = JanusTraining.training_step, torch.optim.AdamW.step, JanusModel.embed

    def training_step(self: Any, loaded: Any, index: int) -> None:
        number = self.global_step
        record.ids[number] = [row.sample_ids for row in loaded.rows]
        record.gradients[number] = {}
        step(self, loaded, index)
        for name, parameter in self.model.named_parameters():
            if id(parameter) in seen:
                record.gradients[number][name] = seen[id(parameter)]
        seen.clear()
        record.optimiser = copy.deepcopy(self.optimizers().optimizer.state_dict())

    seen: dict[int, Any] = {}

    def with_gradients(self: Any, *arguments: Any, **named: Any) -> Any:
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    seen[id(parameter)] = whole(parameter.grad).detach().clone()
        return update(self, *arguments, **named)

    def embedded(self: Any, batch: Any) -> Any:
        embeds, codes = embed(self, batch)
        return drop(embeds, dropout, self.training), codes

    def die(self: Any, trainer: Any, *_: Any) -> None:
        if trainer.global_step == kill_after:
            raise Killed

    patched: list[tuple[Any, str, Any]] = [
        (JanusTraining, "training_step", training_step),
        (torch.optim.AdamW, "step", with_gradients),
        *([(JanusModel, "embed", embedded)] if dropout else []),
        *([(StopSoftly, "on_train_batch_end", die)] if kill_after else []),  # it is called last
    ]
    former = [vars(owner).get(name) for owner, name, _ in patched]
    for owner, name, new in patched:
        setattr(owner, name, new)
    try:
        yield record
    finally:
        for (owner, name, _), old in zip(patched, former, strict=True):
            if old is None:
                delattr(owner, name)
            else:
                setattr(owner, name, old)


def metrics(out: Path) -> dict[int, dict[str, str]]:
    """The metrics of a run by step, as written; of a step that was done twice, the later."""
    found: dict[int, dict[str, str]] = {}
    for path in sorted((out / "logs").rglob("metrics.csv"), key=lambda path: path.parent.name):
        with path.open(encoding="utf-8") as file:
            by_step: dict[int, dict[str, str]] = {}
            for row in csv.DictReader(file):
                by_step.setdefault(int(row["step"]), {}).update({k: v for k, v in row.items() if v})
            found |= by_step
    return found


def comparable(out: Path) -> dict[int, dict[str, str]]:
    """The metrics that two equal runs have alike."""
    return {
        step: {name: value for name, value in row.items() if name not in (*NOT_COMPARED, "epoch")}
        for step, row in metrics(out).items()
    }
