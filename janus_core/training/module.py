"""The LightningModule: the rows of a step -> one gradient, normalised over all rows and processes -> one update."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor

from janus_core.config.recipe import StageConfig
from janus_core.data.mixture import keyed_seed
from janus_core.data.steps import Packer, Place, Step
from janus_core.errors import UserError
from janus_core.interfaces import TASKS, Task
from janus_core.model.janus import JanusModel, TaskLosses
from janus_core.sequence.pack import Batch
from janus_core.training.average import WeightAverage
from janus_core.training.optimiser import parameter_groups, schedule
from janus_core.training.processes import (
    most_over_processes,
    of_all_processes,
    rank_and_world,
    sum_gradients,
    sum_over_processes,
)
from janus_core.training.sharding import clip_gradients, is_sharded, shard, whole
from janus_core.training.watch import Watch, culprits


@dataclass(frozen=True, slots=True)
class StepCounts:
    """What a step holds over all processes, by task."""

    supervised: dict[Task, int]
    samples: dict[Task, int]
    tokens: dict[Task, int]
    stop: bool


class JanusTraining(lightning.LightningModule):
    """Trains whichever parts a stage names, of whichever combination a recipe configures.

    Args:
        model: the model; the stage's freezing is applied to it.
        stage: what trains and how.
        seed: keys the random numbers of each step.
        bad_records: how many different unusable records a stage may meet.
        spike: how many times its running mean the loss of a task may reach; 0 for no limit.
        log_every: steps between two measurements of the gradient's norm.
        pack: makes rows of single samples, to find the one that broke a step.
        sharded: shard the weights over the processes (FSDP2).
        stopping: whether this process was asked to stop; every process stops after the same step.
    """

    def __init__(
        self,
        model: JanusModel,
        stage: StageConfig,
        *,
        seed: int,
        bad_records: int,
        spike: float,
        log_every: int,
        pack: Packer,
        sharded: bool = False,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__()
        # With Lightning's own loop a step would be one backward pass.
        self.automatic_optimization = False
        self.model, self.stage = model, stage
        self.frozen = sorted(model.set_trained(stage.train))
        self.bad: dict[str, None] = {}
        self.place: Place | None = None
        self.watch = Watch(spike)
        self.average: WeightAverage | None = None
        self.metrics: dict[str, float] = {}
        """Of the step that was done last, for the loggers; empty where its row is not due."""
        self._seed, self._bad_records, self._log_every = seed, bad_records, log_every
        self._pack, self._sharded, self._stopping = pack, sharded, stopping

    # -- set-up --------------------------------------------------------------------------------------------------

    def configure_model(self) -> None:
        if self._sharded and not is_sharded(self.model):
            assert self.device_mesh is not None
            shard(self.model, self.device_mesh["data_parallel"], set(self.frozen))
        if self.stage.ema is not None and self.average is None:
            self.average = WeightAverage(self.model, self.stage.ema)

    def configure_optimizers(self) -> Any:
        stage = self.stage
        groups = parameter_groups(
            self.model.parts(), rate=stage.learning_rate, factors=stage.learning_rates, weight_decay=stage.weight_decay
        )
        optimiser = torch.optim.AdamW(groups, lr=stage.learning_rate, betas=stage.betas)
        factor = schedule(stage.schedule, warmup=stage.warmup, steps=stage.steps, final=stage.final_rate)
        return [optimiser], [torch.optim.lr_scheduler.LambdaLR(optimiser, factor)]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["janus"] = {
            "stage": self.stage.name,
            "places": of_all_processes(asdict(self.place) if self.place is not None else None),
            "bad": list(self.bad),
            "watch": self.watch.state(),
            "average": self.average.state() if self.average is not None else None,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        state = checkpoint["janus"]
        self.bad = dict.fromkeys(state["bad"])
        self.watch.load(state["watch"])
        if self.average is not None:
            self.average.load(state["average"])

    def transfer_batch_to_device(self, batch: Step, device: torch.device, dataloader_idx: int) -> Step:
        # A row goes to the device when its turn has come: a step may hold more rows than fit there.
        return batch

    def on_train_start(self) -> None:
        self.watch.start()

    # -- a step --------------------------------------------------------------------------------------------------

    def training_step(self, step: Step, batch_index: int) -> None:
        seed_step(self._seed, self.stage.name, self.global_step, rank_and_world()[0])
        counts = self._counts(step)
        losses = self._backward(step, counts)
        optimiser = self.optimizers()
        assert not isinstance(optimiser, list)
        if not self._sharded:  # FSDP has done it
            sum_gradients(self.model.parameters(), self.device)
        due = (self.global_step + 1) % self._log_every == 0
        measured = self._gradient_norms() if due else {}
        norm = clip_gradients(self.model, self.stage.clip)
        self._check(losses, norm, step)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        scheduler = self.lr_schedulers()
        assert isinstance(scheduler, torch.optim.lr_scheduler.LambdaLR)
        rate = float(scheduler.get_last_lr()[0])
        scheduler.step()
        if self.average is not None:
            self.average.update()
        self.place = step.place
        metrics = self._metrics(losses, counts) | measured | {"gradient_norm": norm, "learning_rate": rate}
        self.metrics = metrics if due else {}
        self.log("tokens_per_second", metrics["tokens_per_second"], logger=False, batch_size=1)
        shown = {task[:3]: value for task, value in losses.items()}
        self.log_dict(shown, prog_bar=True, logger=False, batch_size=1)
        if counts.stop:
            self.trainer.should_stop = True

    def _counts(self, step: Step) -> StepCounts:
        """What all processes hold, and whether one of them was asked to stop: one collective call a step."""
        here: list[float] = [float(self._stopping()), len(step.bad)]
        for task in TASKS:
            lengths = [n for row in step.rows for n, of in zip(row.lengths, row.tasks, strict=True) if of == task]
            here += [sum(row.supervised().get(task, 0) for row in step.rows), len(lengths), sum(lengths)]
        stop, bad, *rest = sum_over_processes(here, self.device)
        if bad:
            self._count_bad([text for texts in of_all_processes(step.bad) for text in texts])
        by_task = {task: [int(value) for value in rest[3 * at : 3 * at + 3]] for at, task in enumerate(TASKS)}
        supervised = {task: values[0] for task, values in by_task.items() if values[0]}
        if not supervised:
            raise UserError("a step has no supervised token", "give the sources answers, texts or pictures to learn")
        return StepCounts(
            supervised, {t: v[1] for t, v in by_task.items()}, {t: v[2] for t, v in by_task.items()}, stop > 0
        )

    def _backward(self, step: Step, counts: StepCounts) -> dict[Task, float]:
        """Gradients of this process' rows; gives the mean loss of each task over all of them."""
        sums: dict[Task, Tensor] = {}
        for row in self._in_step(step):
            losses = self._losses(row)
            loss = normalise(losses, counts.supervised, self.stage.loss_normalisation, self.stage.task_weights)
            if loss.requires_grad:  # not where a row passes through frozen parts alone, as text may
                # FSDP averages over the processes; the counts of the whole step ask for a sum.
                self.manual_backward(loss * rank_and_world()[1] if self._sharded else loss)
            for task, value in losses.sums.items():
                sums[task] = sums.get(task, value.new_zeros(())) + value.detach()
        totals = sum_over_processes([float(sums[t]) if t in sums else 0.0 for t in TASKS], self.device)
        means = {task: total / counts.supervised.get(task, 1) for task, total in zip(TASKS, totals, strict=True)}
        return {task: mean for task, mean in means.items() if task in counts.supervised}

    def _in_step(self, step: Step) -> Iterator[Batch]:
        """The rows; where weights are sharded every process passes as many, as each pass gathers weights from all."""
        spare: list[Batch] = []
        if step.spare is not None:  # asked before any row passes: the passes themselves wait for the other processes
            most = int(most_over_processes([len(step.rows)], self.device)[0])
            spare = [step.spare] * (most - len(step.rows))
        yield from (*step.rows, *spare)

    def _losses(self, row: Batch) -> TaskLosses:
        try:
            losses: TaskLosses = self.model(row.to(self.device))
        except ValueError as error:  # a sample that is too long for the language model, among others
            samples = ", ".join(row.sample_ids[:8])
            raise UserError(
                f"{error}\nin a row with the samples {samples} ...", "mend or leave out the sample"
            ) from error
        counted = {task: count for task, count in losses.counts.items() if count}
        if counted != row.supervised():
            raise UserError(
                f"the losses count {counted} words and codes where the row has {row.supervised()}",
                "the generation head must return the number of supervised positions: mend the plugin",
            )
        return losses

    def _check(self, losses: Mapping[Task, float], norm: float, step: Step) -> None:
        """Before the weights move: a step whose loss or gradient is not finite, or whose loss leaps, ends the run."""
        wrong = self.watch.wrong(losses, norm)
        if wrong is None:
            return
        if self._sharded:  # a sample cannot pass alone where every pass needs all processes
            found = [(0.0, sample.id) for row in step.samples for sample in row]
        else:
            with torch.no_grad():
                found = culprits(step, lambda samples: self._losses(self._pack(samples)))
        named = [line for _, line in sorted(entry for entries in of_all_processes(found) for entry in entries)]
        raise UserError(
            f"stage {self.stage.name}, step {self.global_step}: {wrong}\nthe samples of the step, the worst first:\n"
            + "\n".join(f"  {line}" for line in named[:8]),
            "the weights were not changed by this step: mend or leave out the sample or lower the learning rate, and "
            "continue with --resume",
        )

    def _count_bad(self, bad: Sequence[str]) -> None:
        self.bad |= dict.fromkeys(bad)
        if len(self.bad) > self._bad_records:
            first = "\n".join(f"  {text}" for text in list(self.bad)[:5])
            raise UserError(
                f"{len(self.bad)} unusable records, more than the {self._bad_records} allowed; the first:\n{first}",
                "mend the data, or raise run.bad_records",
            )

    # -- watching ------------------------------------------------------------------------------------------------

    def _gradient_norms(self) -> dict[str, float]:
        """Norm of the gradient of each part that trains, before clipping."""
        norms: dict[str, float] = {}
        for name, part in self.model.parts().items():
            gradients = [p.grad for p in part.parameters() if p.grad is not None]
            if gradients:
                norms[f"gradient_norm/{name}"] = float(whole(torch.nn.utils.get_total_norm(gradients)))
        return norms

    def _metrics(self, losses: Mapping[Task, float], counts: StepCounts) -> dict[str, float]:
        values = {f"loss/{task}": value for task, value in losses.items()}
        weighted = {task: self.stage.task_weights.get(task, 1.0) * value for task, value in losses.items()}
        if self.stage.loss_normalisation == "tokens":
            terms = sum(counts.supervised.values())
            values["loss"] = sum(value * counts.supervised[task] for task, value in weighted.items()) / terms
        else:
            values["loss"] = sum(weighted.values())
        return values | self.watch.seen(counts.samples, counts.tokens) | {"bad_records": float(len(self.bad))}


def normalise(losses: TaskLosses, counts: Mapping[Task, int], by: str, weights: Mapping[Task, float]) -> Tensor:
    """A row's share in the loss of a step; the shares of all rows of all processes add up to the step's loss.

    Args:
        counts: supervised words and codes of the whole step.
        by: ``tokens``: the mean over all of them; ``tasks``: the sum of the mean of each task.
    """
    terms = sum(counts.values())
    shares = [
        weights.get(task, 1.0) * value / (terms if by == "tokens" else counts.get(task, 1))
        for task, value in losses.sums.items()
    ]
    return torch.stack(shares).sum()


def seed_step(*key: object) -> None:
    """Seed every generator for a step by its key, so that a resumed run draws what the whole run drew (dropout ...)."""
    seed = keyed_seed("step", *key)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
