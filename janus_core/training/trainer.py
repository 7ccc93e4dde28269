"""The Lightning Trainer of a stage: devices, strategy, loggers."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import lightning
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from lightning.pytorch.strategies import ModelParallelStrategy, Strategy

from janus_core.config.recipe import RunConfig, StageConfig
from janus_core.errors import UserError
from janus_core.training.processes import SummedGradients
from janus_core.training.quiet import quiet


def stage_trainer(
    run: RunConfig,
    stage: StageConfig,
    callbacks: list[lightning.Callback],
    loggers: list[Logger],
    *,
    progress: bool,
) -> lightning.Trainer:
    """The Trainer; it writes no checkpoints of its own and clips nothing: the module and the points do."""
    slurm: list[Any] = []
    if SLURMEnvironment.detect():
        slurm = [SLURMEnvironment(auto_requeue=False)]  # it would save a second kind of checkpoint: see stopping.py
    with quiet():
        return lightning.Trainer(
            accelerator=run.accelerator,
            devices=run.devices,
            num_nodes=run.nodes,
            strategy=_strategy(run),
            precision=run.precision,
            plugins=slurm,
            max_steps=stage.steps,
            log_every_n_steps=min(run.log_every, stage.steps),
            callbacks=callbacks,
            logger=loggers,
            enable_progress_bar=progress,
            enable_checkpointing=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
        )


def _strategy(run: RunConfig) -> Strategy | str:
    if run.strategy == "fsdp":
        # The whole state in one file: it can be continued, and read, with any number of processes.
        return ModelParallelStrategy(run.processes, 1, save_distributed_checkpoint=False)
    return SummedGradients() if run.processes > 1 else "auto"


def check_loggers(run: RunConfig) -> None:
    """Raise `UserError` if wandb is asked for and not installed."""
    if "wandb" in run.loggers and importlib.util.find_spec("wandb") is None:
        raise UserError("run.loggers: wandb is not installed", "pip install 'janus-umm[wandb]', or leave wandb out")


def stage_loggers(run: RunConfig, folder: Path, recipe: str, version: str) -> list[Logger]:
    """The loggers that the run names.

    Args:
        version: folder of the stage within ``folder``.
    """
    made: list[Logger] = []
    for name in run.loggers:
        if name == "csv":
            made.append(CSVLogger(folder, name="", version=version))
        elif name == "tensorboard":
            made.append(TensorBoardLogger(folder, name="", version=version))
        else:
            made.append(WandbLogger(project="janus", group=recipe, name=f"{recipe}/{version}", save_dir=folder))
    return made
