"""The LightningModule: one packed batch -> one loss, normalised as the recipe says."""

from __future__ import annotations

import time
from typing import Any

import lightning
import torch
from torch import Tensor

from janus_core.config.recipe import StageConfig
from janus_core.data.loader import Loaded
from janus_core.errors import UserError
from janus_core.interfaces import Task
from janus_core.model.janus import JanusModel, TaskLosses
from janus_core.training.optimiser import parameter_groups, schedule


class JanusTraining(lightning.LightningModule):
    """Trains whichever parts a stage names, of whichever combination a recipe configures.

    Args:
        model: the model; the stage's freezing is applied to it.
        stage: what trains and how.
        bad_records: how many different unusable records a stage may meet.
    """

    def __init__(self, model: JanusModel, stage: StageConfig, *, bad_records: int) -> None:
        super().__init__()
        self.model, self.stage = model, stage
        self.frozen = sorted(model.set_trained(stage.train))
        self.bad: dict[str, None] = {}
        self._bad_records = bad_records
        self._clock = time.monotonic()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["stage"] = self.stage.name

    def configure_optimizers(self) -> Any:
        stage = self.stage
        groups = parameter_groups(
            self.model.parts(), rate=stage.learning_rate, factors=stage.learning_rates, weight_decay=stage.weight_decay
        )
        optimiser = torch.optim.AdamW(groups, lr=stage.learning_rate, betas=stage.betas)
        factor = schedule(stage.schedule, warmup=stage.warmup, steps=stage.steps, final=stage.final_rate)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def transfer_batch_to_device(self, batch: Loaded, device: torch.device, dataloader_idx: int) -> Loaded:
        return Loaded(batch.batch.to(device), batch.bad)

    def training_step(self, loaded: Loaded, batch_index: int) -> Tensor:
        self._count_bad(loaded.bad)
        try:
            losses = self.model(loaded.batch)
        except ValueError as error:  # a sample that is too long for the language model, among others
            samples = ", ".join(loaded.batch.sample_ids[:8])
            raise UserError(
                f"{error}\nin a batch with the samples {samples} ...", "mend or leave out the sample"
            ) from error
        total = normalise(losses, self.stage.loss_normalisation, self.stage.task_weights)
        self._log(losses, total, loaded)
        return total

    def _count_bad(self, bad: tuple[str, ...]) -> None:
        for text in bad:
            if text not in self.bad:
                self.bad[text] = None
        if len(self.bad) > self._bad_records:
            first = "\n".join(f"  {text}" for text in list(self.bad)[:5])
            raise UserError(
                f"{len(self.bad)} unusable records, more than the {self._bad_records} allowed; the first:\n{first}",
                "mend the data, or raise run.bad_records",
            )

    def _log(self, losses: TaskLosses, total: Tensor, loaded: Loaded) -> None:
        now = time.monotonic()
        seconds, self._clock = now - self._clock, now
        values: dict[str, Any] = {"loss": total.detach(), "bad_records": float(len(self.bad))}
        values |= {f"loss/{task}": (losses.sums[task].detach() / losses.counts[task]) for task in losses.sums}
        values["tokens_per_second"] = loaded.batch.ids.shape[1] / max(seconds, 1e-9)
        self.log_dict(values, batch_size=len(loaded.batch.sample_ids))
        shown = {name.removeprefix("loss/"): v for name, v in values.items() if name.startswith("loss/")}
        self.log_dict({f"{name[:3]}": v for name, v in shown.items()}, prog_bar=True, logger=False, batch_size=1)


def normalise(losses: TaskLosses, by: str, weights: dict[Task, float]) -> Tensor:
    """One loss of the sums and counts: the mean over all tokens, or the weighted sum of the means of the tasks."""
    if not losses.sums:
        raise UserError("a batch has no supervised token", "give the sources answers, texts or pictures to learn from")
    weighted = {task: weights.get(task, 1.0) * value for task, value in losses.sums.items()}
    if by == "tokens":
        return torch.stack(list(weighted.values())).sum() / sum(losses.counts.values())
    return torch.stack([value / losses.counts[task] for task, value in weighted.items()]).sum()
