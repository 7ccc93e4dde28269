"""Runs the stages of a recipe: ``janus train``."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities.seed import isolate_rng
from safetensors.torch import load_file

from janus_core.cache.reading import stage_rows
from janus_core.cache.stage import StageCache, stage_cache
from janus_core.cache.stream import stream_of
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
from janus_core.config.check import named_sources
from janus_core.config.provenance import Provenance, check_provenance, source_provenance
from janus_core.config.recipe import Recipe, StageConfig
from janus_core.data.loader import StageDataset
from janus_core.data.sources import build_sources
from janus_core.data.steps import Steps, row_packer, stage_steps
from janus_core.errors import UserError
from janus_core.inference.session import Session
from janus_core.interfaces import BadRecord, DataSource, Sample, Sampling, Task
from janus_core.model.build import BuiltModel, build_model, seeded
from janus_core.model.lora import inject, load_updates
from janus_core.training.blocks import prepared_blocks
from janus_core.training.callbacks import SamplesEvery, StageProgress, WriteMetrics
from janus_core.training.module import JanusTraining
from janus_core.training.optimiser import parameter_groups
from janus_core.training.points import Point, Points, place_in, points_of, remove, sound_point
from janus_core.training.processes import begun_as, of_all_processes, own_gpu, wait_for_all
from janus_core.training.quiet import quiet
from janus_core.training.run_folder import RunFolder, environment
from janus_core.training.sharding import whole_state
from janus_core.training.sheets import write_answers, write_drawings
from janus_core.training.stopping import StopSoftly, requeue
from janus_core.training.threads import choose_threads
from janus_core.training.trainer import check_loggers, stage_loggers, stage_trainer
from janus_core.training.validation import Validation


class Interrupted(Exception):
    """Ctrl-C, or a signal of the scheduler: the run was saved and can be resumed."""


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

    With several processes each of them calls this; the first writes and speaks.

    Args:
        folder: relative paths in the recipe are relative to it.
        out: folder of the run; made, or with ``resume`` continued.
        say: takes one line of news at a time.

    Raises:
        UserError: the recipe, the data or the folder is wrong.
        Interrupted: Ctrl-C; everything is saved.
    """
    rank = begun_as(recipe.run)
    first = rank == 0
    speak = say if first else (lambda text: None)
    return _Run(recipe, folder, RunFolder(out), progress and first, speak, rank).run(resume)


@dataclass(slots=True)
class _Run:
    recipe: Recipe
    folder: Path
    paths: RunFolder
    progress: bool
    say: Callable[[str], None]
    rank: int
    sources: dict[str, DataSource] = field(default_factory=dict)
    origin: Checkpoint | None = None
    threads: int = 1
    provenance: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def sharded(self) -> bool:
        return self.recipe.run.strategy == "fsdp"

    def run(self, resume: bool) -> Session:
        recipe = self.recipe
        self.threads = choose_threads(recipe.run.threads)
        built = self._begin()
        check_loggers(recipe.run)
        self.sources = build_sources(recipe.sources, named_sources(recipe), self.folder)
        for stage in recipe.stages:
            built.model.set_trained(stage.train)
            parameter_groups(
                built.model.parts(), rate=stage.learning_rate, factors=stage.learning_rates, weight_decay=0
            )
        # All that the recipe can get wrong is known by now: only then is anything written.
        if self.rank == 0:
            if resume and not self.paths.recipe.is_file():
                self.say(f"{self.paths.root} holds no run yet: this begins one")
            if resume:
                check_provenance(self._made_by(), recipe, self.paths.root)
            self.paths.open(recipe, resume=resume)
        done = self.paths.stages_done()
        if done:
            load_weights(built.model, self.paths.checkpoint / WEIGHTS)
        if recipe.lora is not None:
            with seeded(recipe.seed, "lora"):
                inject(built.model, recipe.lora)
            if done:
                load_updates(built.model, load_file(self.paths.checkpoint / UPDATES))
        if self.rank == 0:
            self._record(built)
        if built.random:
            self.say(f"RANDOM weights (weights: none): {', '.join(built.random)}")
        if done:  # what the stages behind us trained is random no more
            built.random = list(read_facts(self.paths.checkpoint).get("random", []))
        for index, stage in enumerate(recipe.stages[done:], start=done):
            built = self._stage(built, stage, index, resume=resume)
        return Session(built, recipe.name, {"recipe": recipe.name})

    def _made_by(self) -> Provenance:
        """What made the state from which this run goes on: of the latest point, else of the record."""
        points = points_of(self.paths.points)
        return points[0].provenance if points else self.paths.read_record().get("provenance", {})

    def _record(self, built: BuiltModel) -> None:
        recipe, record = self.recipe, self.paths.read_record()
        self.provenance = built.provenance | source_provenance(recipe.sources, self.sources)
        earlier = [*record.get("earlier_provenance", []), record.get("provenance", self.provenance)]
        self.paths.write_record(
            {
                "earlier_provenance": [item for item in earlier if item != self.provenance],
                "recipe": recipe.name,
                "seed": recipe.seed,
                "environment": environment(),
                "threads": self.threads,
                "processes": self.recipe.run.processes,
                "provenance": self.provenance,
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

    def _stage(self, built: BuiltModel, stage: StageConfig, index: int, *, resume: bool) -> BuiltModel:
        """Train one stage and save the model; gives the model as the stage left it."""
        paths, recipe = self.paths, self.recipe
        frozen = built.model.set_trained(stage.train)
        before = {name: digest(built.model.parts()[name]) for name in sorted(frozen)}
        trained = sorted(set(built.model.parts()) - frozen)
        self.say(f"stage {index + 1} of {len(recipe.stages)} {stage.name}: trains {', '.join(trained)}")
        point = self._point(stage) if resume else None
        with ExitStack() as closing:
            cache = self._cache(built, stage)
            if cache is not None:
                closing.enter_context(cache)
            module, stopping, callbacks, steps = self._prepare(built, stage, point, cache)
            points = Points(
                paths.points, stage.name, recipe.run.checkpoint_every, recipe.run.keep_checkpoints, self.provenance
            )
            # The point comes after what is measured and drawn at its step, which is then not done again.
            trainer = stage_trainer(
                recipe.run,
                stage,
                [*callbacks, WriteMetrics(), points, stopping],
                self._loggers(stage, point),
                progress=self.progress,
            )
            began = time.monotonic()
            closing.callback(stopping.restore)
            with quiet(), isolate_rng(), prepared_blocks(built.model, recipe.run):
                file = paths.points / point.file if point else None
                trainer.fit(module, steps, ckpt_path=file, weights_only=True if file else None)
            saved = cache.close() if cache else {}
        # A signal to any process stops all of them.
        came = [number for numbers in of_all_processes(stopping.came) for number in numbers]
        if trainer.global_step < stage.steps:
            points.save(trainer)
            if self.rank == 0:
                requeue(came, self.say)
            raise Interrupted(f"{stage.name}: stopped and saved after step {trainer.global_step} of {stage.steps}")
        if module.average is not None:
            module.average.apply()
        built = self._gathered(built)
        if self.rank == 0:
            facts = {"seconds": round(time.monotonic() - began, 1)} | ({"cache": saved} if saved else {})
            self._finish(built, stage, index, module, before, facts)
        wait_for_all()
        if self.sharded and self.rank:  # the others have only the names and shapes of the gathered weights
            load_weights(built.model, paths.checkpoint / WEIGHTS)
            if recipe.lora is not None:
                inject(built.model, recipe.lora)
                load_updates(built.model, load_file(paths.checkpoint / UPDATES))
        if came and index + 1 < len(recipe.stages):
            if self.rank == 0:
                requeue(came, self.say)
            raise Interrupted(f"{stage.name}: stopped and saved after its last step")
        return built

    def _point(self, stage: StageConfig) -> Point | None:
        """The point from which a stage goes on, or None; says what that means."""
        point = sound_point(self.paths.points, stage.name, self.say)
        if point is None:
            return None
        processes = self.recipe.run.processes
        if stage.batch_unit == "rows" and point.processes != processes:
            raise UserError(
                f"stage {stage.name} fills rows from one stream a process, and was begun with {point.processes}",
                f"resume with {point.processes} processes",
            )
        self.say(f"resuming at step {point.step} of {stage.steps}")
        if (point.processes, point.threads) != (processes, self.threads):
            self.say(
                f"with {processes} processes of {self.threads} threads where it had {point.processes} of "
                f"{point.threads}: the run goes on, but not bit by bit as it would have"
            )
        return point

    def _loggers(self, stage: StageConfig, point: Point | None) -> list[Logger]:
        # A logger overwrites what it finds.
        version = f"{stage.name}-from-{point.step:06d}" if point else stage.name
        return stage_loggers(self.recipe.run, self.paths.logs, self.recipe.name, version)

    def _cache(self, built: BuiltModel, stage: StageConfig) -> StageCache | None:
        """The features and codes of the frozen parts, all computed; None if the recipe names no cache."""
        gpu = own_gpu(self.recipe.run)
        cache = stage_cache(built, self.recipe, stage, folder=self.folder, say=self.say, device=gpu)
        if cache is not None:
            rows = stage_rows(self.recipe, stage, self.sources, built.assembler, cache.probe, rank=self.rank)
            stream = stream_of(
                self.recipe,
                stage,
                self.sources,
                folder=self.folder,
                rank=self.rank,
                world=self.recipe.run.processes,
            )
            cache.fill(rows, stream=stream)
        return cache

    def _prepare(
        self, built: BuiltModel, stage: StageConfig, point: Point | None, cache: StageCache | None
    ) -> tuple[JanusTraining, StopSoftly, list[lightning.Callback], Steps]:
        """The module, the steps from the point on, and what is called between them."""
        recipe, run = self.recipe, self.recipe.run
        steps = stage_steps(
            recipe,
            stage,
            self.sources,
            built.assembler,
            cached=cache.assembler if cache else None,
            start=point.step if point else 0,
            place=place_in(self.paths.points / point.file, self.rank) if point else None,
            rank=self.rank,
        )
        stopping = StopSoftly(self.say)
        module = JanusTraining(
            built.model,
            stage,
            seed=recipe.seed,
            bad_records=run.bad_records,
            spike=run.spike,
            log_every=min(run.log_every, stage.steps),
            pack=steps.pack,
            sharded=self.sharded,
            stopping=stopping.asked,
        )
        callbacks: list[lightning.Callback] = []
        if stage.validation is not None:
            held_out = StageDataset(
                self.sources, built.assembler, seed=recipe.seed, longest=stage.row_tokens, bad_records=run.bad_records
            )
            callbacks.append(
                Validation(stage, held_out, row_packer(stage, built.assembler), lambda *a: self._best(built, stage, *a))
            )
        if self.rank == 0 and not self.sharded:  # drawing needs whole weights
            callbacks.append(SamplesEvery(lambda step: self._samples(built, stage, step), recipe.samples.every))
        if self.progress:
            callbacks.append(StageProgress(stage.name))
        return module, stopping, callbacks, steps

    def _gathered(self, built: BuiltModel) -> BuiltModel:
        """The model with whole weights: itself, or where they were sharded a new one."""
        if not self.sharded:
            return built
        state = whole_state(built.model)
        fresh = build_model(
            self.recipe.model, self.recipe.text, seed=self.recipe.seed, folder=self.folder, skip_weights=True
        )
        if self.rank == 0:
            if self.recipe.lora is not None:
                inject(fresh.model, self.recipe.lora)
            fresh.model.load_state_dict(state)
        fresh.random = built.random
        return fresh

    def _best(self, built: BuiltModel, stage: StageConfig, step: int, losses: dict[Task, float]) -> None:
        """Keep the model with the lowest validation loss of the stage, as a checkpoint beside the last one."""
        gathered = self._gathered(built)
        if self.rank == 0:
            about = {"stage": stage.name, "step": step, "validation": losses}
            trained = set(built.model.parts()) - built.model.frozen
            gathered = replace(gathered, random=[name for name in built.random if name not in trained])
            self._save(self.paths.best, gathered, about)

    def _save(self, folder: Path, built: BuiltModel, about: dict[str, Any]) -> None:
        """Write a checkpoint, with what is known of the published model that the run started from."""
        source = None
        if self.origin is not None:
            source = self.origin.source
            about |= {"imported": self.origin.facts["imported"]} if "imported" in self.origin.facts else {}
        save_checkpoint(folder, built, self.recipe, about, source)

    def _finish(
        self,
        built: BuiltModel,
        stage: StageConfig,
        index: int,
        module: JanusTraining,
        before: dict[str, str],
        facts: dict[str, Any],
    ) -> None:
        """Check that what is frozen did not move, then write the record and the checkpoint of a stage."""
        paths = self.paths
        after = {name: digest(built.model.parts()[name]) for name in before}
        if changed := [name for name in before if before[name] != after[name]]:
            raise AssertionError(f"frozen parts changed: {', '.join(changed)}")
        trained = sorted(set(built.model.parts()) - set(before))
        facts |= {
            "steps": stage.steps,
            "trained": trained,
            "frozen_sha256": after,
            "bad_records": list(module.bad),
        }
        if module.bad:
            self.say(f"{len(module.bad)} unusable records were passed over; the first: {next(iter(module.bad))}")
        built.random = [name for name in built.random if name not in trained]
        paths.write_record({"stages": paths.read_record().get("stages", {}) | {stage.name: facts}})
        self._save(paths.checkpoint, built, {"stages_done": index + 1, "frozen_sha256": after})
        for point in points_of(paths.points):
            remove(paths.points, point)

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
        for name in stage.data.get("understanding", {}) if stage.mixture.get("understanding") else ():
            source = self.sources[name]
            for index in range(min(count, len(source))):
                try:
                    found.append(source[index])
                except BadRecord:
                    continue
        return found[:count]
