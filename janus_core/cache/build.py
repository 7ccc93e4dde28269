"""The caches of a recipe's stages without training: what ``janus cache build`` and ``verify`` do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from janus_core.cache.reading import stage_rows
from janus_core.cache.stage import StageCache, stage_cache
from janus_core.cache.stream import stream_of
from janus_core.checkpoints.own import build_filled, read_checkpoint
from janus_core.config.parts import match_parts
from janus_core.config.recipe import CacheConfig, Recipe, StageConfig
from janus_core.data.sources import build_sources
from janus_core.errors import UserError
from janus_core.interfaces import DataSource
from janus_core.model.build import BuiltModel, build_model, seeded
from janus_core.model.lora import inject

Progress = Callable[[Iterable[Any], int], Iterable[Any]]
"""Wraps the batches of a stage, of which there are so many."""


def with_cache(recipe: Recipe, folder: Path | None, *, check: float | None = None) -> Recipe:
    """The recipe with the cache in another folder, and with another fraction of entries that are checked.

    Raises:
        UserError: neither the recipe nor the caller names a folder.
    """
    config = recipe.run.cache
    if folder is not None:
        changed = {"folder": str(folder.absolute())}
        config = config.model_copy(update=changed) if config is not None else CacheConfig.model_validate(changed)
    if config is None:
        raise UserError(
            f"recipe {recipe.name} names no cache", "give --folder DIR, or write run: {cache: {folder: DIR}} in it"
        )
    if check is not None:
        config = config.model_copy(update={"verify": check})
    return recipe.model_copy(update={"run": recipe.run.model_copy(update={"cache": config})})


@dataclass(slots=True)
class Builder:
    """A recipe with its model as training begins it and its sources.

    Attributes:
        folder: relative paths in the recipe are relative to it.
        say: takes one line of news at a time.
    """

    recipe: Recipe
    folder: Path
    say: Callable[[str], None]
    built: BuiltModel = field(init=False)
    sources: dict[str, DataSource] = field(init=False)

    def __post_init__(self) -> None:
        recipe = self.recipe
        if recipe.init is None:
            self.built = build_model(recipe.model, recipe.text, seed=recipe.seed, folder=self.folder)
        else:
            origin = read_checkpoint(self.folder / recipe.init)
            self.built = build_filled(recipe, self.folder, origin, stored=False)
        if recipe.lora is not None:
            with seeded(recipe.seed, "lora"):
                inject(self.built.model, recipe.lora)
        used = {name for stage in recipe.stages for named in stage.data.values() for name in named}
        self.sources = build_sources(recipe.sources, used, self.folder)

    def stages(self, name: str | None) -> list[StageConfig]:
        """The stage of this name, or all; `UserError` if there is none."""
        found = [stage for stage in self.recipe.stages if name in (None, stage.name)]
        if not found:
            known = ", ".join(stage.name for stage in self.recipe.stages)
            raise UserError(f"recipe {self.recipe.name} has no stage {name!r}", f"stages: {known}")
        return found

    def caches(
        self,
        stage_name: str | None,
        part: str | None,
        progress: Progress,
        *,
        compute: bool = True,
        enough: int | None = None,
    ) -> Iterator[tuple[StageConfig, StageCache]]:
        """The caches of the stages, filled and still open.

        Args:
            stage_name: of one stage; None for all.
            part: one part; None for all.
            compute, enough: see `stage_cache` and `StageCache.fill`.

        Raises:
            UserError: nothing can be cached in the stage that was named, or the part cannot.
        """
        trained_before: set[str] = set()
        names = list(self.built.model.parts())
        wanted = self.stages(stage_name)
        for stage in self.recipe.stages:
            if stage in wanted:
                cache = stage_cache(
                    self.built,
                    self.recipe,
                    stage,
                    folder=self.folder,
                    say=self.say,
                    only=part,
                    unknown=trained_before,
                    compute=compute,
                )
                assert cache is not None
                with cache:
                    if cache.parts:
                        batches = stage_rows(self.recipe, stage, self.sources, self.built.assembler, cache.probe)
                        stream = stream_of(self.recipe, stage, self.sources, folder=self.folder) if compute else None
                        cache.fill(progress(batches, stage.steps), stream=stream, trust=False, enough=enough)
                        yield stage, cache
                    elif stage_name is not None:
                        raise UserError(f"nothing can be cached in stage {stage.name}", "choose another --stage")
            trained_before |= match_parts(stage.train, names)
