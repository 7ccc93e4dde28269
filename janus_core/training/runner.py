"""Runs the stages of a recipe: ``janus train``."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from types import FrameType
from typing import Any

import lightning
import torch
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from safetensors.torch import load_file

from janus_core.checkpoints.own import (
    UPDATES,
    WEIGHTS,
    Checkpoint,
    build_filled,
    digest,
    load_weights,
    read_checkpoint,
    read_facts,
    save_checkpoint,
)
from janus_core.config.recipe import Recipe, StageConfig
from janus_core.data.loader import StageDataset, stage_loader
from janus_core.data.mixture import Mixture, SamplePlan
from janus_core.data.sources import build_sources
from janus_core.errors import UserError
from janus_core.inference.session import Session
from janus_core.interfaces import BadRecord, DataSource, Sample, Sampling
from janus_core.model.build import BuiltModel, build_model, seeded
from janus_core.model.lora import inject, load_updates
from janus_core.training.callbacks import ResumePoints, SamplesEvery, StageProgress
from janus_core.training.module import JanusTraining
from janus_core.training.optimiser import parameter_groups
from janus_core.training.quiet import quiet
from janus_core.training.run_folder import RunFolder, environment
from janus_core.training.sheets import write_answers, write_drawings
from janus_core.training.threads import choose_threads


class Interrupted(Exception):
    """Ctrl-C: the run was saved and can be resumed."""


def train(
    recipe: Recipe,
    *,
    folder: Path,
    out: Path,
    resume: bool = False,
    progress: bool = True,
    say: Callable[[str], None] = lambda text: None,
) -> Session:
    """Run the stages of a recipe that are not done yet and return the trained model.

    Args:
        folder: relative paths in the recipe are relative to it.
        out: folder of the run; made, or with ``resume`` continued.
        say: takes one line of news at a time.

    Raises:
        UserError: the recipe, the data or the folder is wrong.
        Interrupted: Ctrl-C; everything is saved.
    """
    return _Run(recipe, folder, RunFolder(out), progress, say).run(resume)


@dataclass(slots=True)
class _Run:
    recipe: Recipe
    folder: Path
    paths: RunFolder
    progress: bool
    say: Callable[[str], None]
    sources: dict[str, DataSource] = field(default_factory=dict)
    origin: Checkpoint | None = None

    def run(self, resume: bool) -> Session:
        recipe = self.recipe
        threads = choose_threads(recipe.run.threads)
        built = self._begin()
        used = {name for stage in recipe.stages for named in stage.data.values() for name in named}
        self.sources = build_sources(recipe.sources, used, self.folder)
        for stage in recipe.stages:
            built.model.set_trained(stage.train)
            parameter_groups(
                built.model.parts(), rate=stage.learning_rate, factors=stage.learning_rates, weight_decay=0
            )
        # All that the recipe can get wrong is known by now: only then is anything written.
        if resume and not self.paths.recipe.is_file():
            self.say(f"{self.paths.root} holds no run yet: this begins one")
        self.paths.open(recipe, resume=resume)
        done = self.paths.stages_done()
        if done:
            load_weights(built.model, self.paths.checkpoint / WEIGHTS)
        if recipe.lora is not None:
            with seeded(recipe.seed, "lora"):
                inject(built.model, recipe.lora)
            if done:
                load_updates(built.model, load_file(self.paths.checkpoint / UPDATES))
        self.paths.write_record(
            {
                "recipe": recipe.name,
                "seed": recipe.seed,
                "environment": environment(),
                "threads": threads,
                "provenance": built.provenance,
                "random_weights": built.random,
                "parameters": {
                    name: sum(p.numel() for p in part.parameters()) for name, part in built.model.parts().items()
                },
                "sources": {
                    name: {"component": recipe.sources[name].type, "samples": len(s)}
                    for name, s in self.sources.items()
                },
            }
        )
        if built.random:
            self.say(f"RANDOM weights (weights: none): {', '.join(built.random)}")
        if done:  # what the stages behind us trained is random no more
            built.random = list(read_facts(self.paths.checkpoint).get("random", []))
        for index, stage in enumerate(recipe.stages[done:], start=done):
            self._stage(built, stage, index, resume=resume)
        return Session(built, recipe.name, {"recipe": recipe.name})

    def _begin(self) -> BuiltModel:
        """The model as the recipe begins it: built anew, or as the checkpoint that ``init`` names left it."""
        recipe = self.recipe
        if not recipe.stages:
            raise UserError(f"recipe {recipe.name} has no stages, so there is nothing to train", "write stages: [...]")
        if recipe.init is None:
            return build_model(recipe.model, recipe.text, seed=recipe.seed, folder=self.folder)
        self.origin = read_checkpoint(self.folder / recipe.init)
        if self.origin.updates is not None:
            raise UserError(
                f"init: {recipe.init} holds LoRA weights beside its own",
                f"merge them first: janus merge {recipe.init} --out DIR",
            )
        return build_filled(recipe, self.folder, self.origin, stored=False)

    def _stage(self, built: BuiltModel, stage: StageConfig, index: int, *, resume: bool) -> None:
        paths, recipe = self.paths, self.recipe
        module = JanusTraining(built.model, stage, bad_records=recipe.run.bad_records)
        before = {name: digest(built.model.parts()[name]) for name in module.frozen}
        trained = sorted(set(built.model.parts()) - set(module.frozen))
        self.say(f"stage {index + 1} of {len(recipe.stages)} {stage.name}: trains {', '.join(trained)}")
        point, start = _resume_from(paths.resume_point, stage) if resume else (None, 0)
        if point:
            self.say(f"resuming at step {start} of {stage.steps}")
        dataset = StageDataset(
            self.sources,
            built.assembler,
            seed=recipe.seed,
            condition_drop=stage.condition_drop,
            bad_records=recipe.run.bad_records,
        )
        plan = SamplePlan(Mixture(stage.mixture, stage.data, stage.batch_size), stage.batch_size, stage.steps, start)
        loader = stage_loader(dataset, plan, built.assembler, workers=recipe.run.workers)
        points = ResumePoints(paths.resume_point, recipe.run.checkpoint_every)
        trainer = self._trainer(built, stage, points, start)
        began = time.monotonic()
        with _stop_softly(trainer, self.say) as stopped, quiet():
            trainer.fit(module, loader, ckpt_path=point, weights_only=True if point else None)
        if trainer.global_step < stage.steps:
            points.save(trainer)
            raise Interrupted(f"{stage.name}: stopped and saved after step {trainer.global_step} of {stage.steps}")
        after = {name: digest(built.model.parts()[name]) for name in module.frozen}
        if changed := [name for name in before if before[name] != after[name]]:
            raise AssertionError(f"frozen parts changed: {', '.join(changed)}")
        facts: dict[str, Any] = {
            "steps": stage.steps,
            "seconds": round(time.monotonic() - began, 1),
            "trained": trained,
            "frozen_sha256": after,
            "bad_records": list(module.bad),
        }
        if module.bad:
            self.say(f"{len(module.bad)} unusable records were passed over; the first: {next(iter(module.bad))}")
        built.random = [name for name in built.random if name not in trained]
        paths.write_record({"stages": paths.read_record().get("stages", {}) | {stage.name: facts}})
        about: dict[str, Any] = {"stages_done": index + 1, "frozen_sha256": after}
        source = None
        if self.origin is not None:
            source = self.origin.source
            about |= {"imported": self.origin.facts["imported"]} if "imported" in self.origin.facts else {}
        save_checkpoint(paths.checkpoint, built, recipe, about, source)
        paths.resume_point.unlink(missing_ok=True)
        if stopped and index + 1 < len(recipe.stages):
            raise Interrupted(f"{stage.name}: stopped and saved after its last step")

    def _trainer(self, built: BuiltModel, stage: StageConfig, points: ResumePoints, start: int) -> lightning.Trainer:
        run, paths = self.recipe.run, self.paths
        logs = f"{stage.name}-from-{start:06d}" if start else stage.name  # a logger overwrites what it finds
        callbacks: list[lightning.Callback] = [points]
        callbacks.append(SamplesEvery(lambda step: self._samples(built, stage, step), self.recipe.samples.every))
        if self.progress:
            callbacks.append(StageProgress(stage.name))
        with quiet():
            return lightning.Trainer(
                accelerator=run.accelerator,
                devices=1,
                precision=run.precision,
                max_steps=stage.steps,
                gradient_clip_val=stage.clip,
                log_every_n_steps=min(run.log_every, stage.steps),
                callbacks=callbacks,
                logger=[
                    CSVLogger(paths.logs, name="", version=logs),
                    TensorBoardLogger(paths.logs, name="", version=logs),
                ],
                enable_progress_bar=self.progress,
                enable_checkpointing=False,
                enable_model_summary=False,
                num_sanity_val_steps=0,
                use_distributed_sampler=False,
            )

    def _samples(self, built: BuiltModel, stage: StageConfig, step: int) -> None:
        config, session = self.recipe.samples, Session(built, self.recipe.name)
        name = f"{stage.name}-{step:06d}"
        if config.prompts and built.model.draws:
            sampling = Sampling(temperature=config.temperature, guidance=config.guidance)
            write_drawings(self.paths.samples / f"{name}.png", session, config.prompts, sampling, self.recipe.seed)
        if asked := self._questions(stage, config.questions):
            write_answers(self.paths.samples / f"{name}.md", session, asked)

    def _questions(self, stage: StageConfig, count: int) -> list[Sample]:
        found: list[Sample] = []
        for name in stage.data.get("understanding", {}):
            source = self.sources[name]
            for index in range(min(count, len(source))):
                try:
                    found.append(source[index])
                except BadRecord:
                    continue
        return found[:count]


def _resume_from(point: Path, stage: StageConfig) -> tuple[Path | None, int]:
    """The point and its step; none if it is of another stage, whose end was saved just before the run was killed."""
    if not point.is_file():
        return None, 0
    try:
        state = torch.load(point, map_location="cpu", weights_only=True, mmap=True)
        name, step = state.get("stage"), int(state["global_step"])
    except (RuntimeError, OSError, KeyError, AttributeError, EOFError, UnpicklingError) as error:
        raise UserError(
            f"{point} cannot be read: {error}", "remove it: the run then resumes at its last stage"
        ) from error
    return (point, step) if name == stage.name else (None, 0)


@contextmanager
def _stop_softly(trainer: lightning.Trainer, say: Callable[[str], None]) -> Iterator[list[int]]:
    """The first Ctrl-C ends the step and saves; the second stops at once. Gives the signals that came.

    An interrupt within an optimiser's step would save parameters of which some have moved and some have not.
    """

    came: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        came.append(number)
        say("stopping after this step (Ctrl-C again stops at once, without saving)")
        trainer.should_stop = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    try:
        former = signal.signal(signal.SIGINT, stop)
    except ValueError:  # not in the main thread: no signals to catch
        yield came
        return
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, former)
