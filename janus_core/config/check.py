"""What a recipe gets wrong beyond its types: components, options, routes, sources, files. Imports no torch."""

from __future__ import annotations

import difflib
import fnmatch
import os
import re
from collections.abc import Iterator
from pathlib import Path

from janus_core.config.begin import FACTS
from janus_core.config.choose import choose
from janus_core.config.parts import match_parts, part_names
from janus_core.config.recipe import ComponentChoice, ModelConfig, Recipe, StageConfig
from janus_core.errors import UserError
from janus_core.package_files import PACKAGE, locate
from janus_core.text.tokenizer import BYTES

PATHS = ("weights", "path", "names", "images")
"""Options of components that name a file, a folder or a pattern of files, by the convention of all plugins."""


def check_recipe(recipe: Recipe, folder: Path, *, files: bool = True) -> None:
    """Check a recipe without building anything.

    Args:
        files: the text tokenizer must be there.

    Raises:
        UserError: every mistake at once.
    """
    mistakes = [*_components(recipe), *_model(recipe.model), *_stages(recipe)]
    if files and (missing := _no_text_tokenizer(recipe, folder)):
        mistakes.append(missing)
    if mistakes:
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise UserError(f"recipe {recipe.name}: {count}\n" + "\n".join(mistakes))


def missing_files(recipe: Recipe, folder: Path) -> list[str]:
    """Place and path of what a recipe without mistakes names and the disk does not hold."""
    found = [] if (missing := _no_text_tokenizer(recipe, folder)) is None else [missing]
    named = named_sources(recipe)
    filled = recipe.init is not None or (folder / FACTS).is_file()  # from a checkpoint: no other weights are read
    for place, kind, choice in component_choices(recipe):
        if kind == "data_source" and place.partition(".")[2] not in named:
            continue  # never opened
        options = choose(kind, choice, place).options
        for name in PATHS[1:] if filled else PATHS:
            given = getattr(options, name, None)
            for text in given if isinstance(given, list | tuple) else [given]:
                if isinstance(text, str) and (missing := _missing(folder, text, word=name == "weights")):
                    found.append(f"{place}.options.{name}: {missing}")
    return found


def named_sources(recipe: Recipe) -> set[str]:
    """The sources that a stage draws from or is validated on: only these are opened."""
    named = {name for stage in recipe.stages for shares in stage.data.values() for name in shares}
    validations = [stage.validation for stage in recipe.stages if stage.validation is not None]
    return named | {name for config in validations for names in config.data.values() for name in names}


def _no_text_tokenizer(recipe: Recipe, folder: Path) -> str | None:
    path = recipe.text.tokenizer
    if path == BYTES or (folder / path).is_file():
        return None
    if path.startswith(PACKAGE):
        return f"text.tokenizer: {missing}" if (missing := _missing(folder, path, word=False)) else None
    return f"text.tokenizer: {folder / path} does not exist; give a tokenizer.json, or '{BYTES}'"


def _missing(folder: Path, text: str, *, word: bool) -> str | None:
    """What is wrong with a path that leads nowhere; of a pattern only the folder before it is looked at.

    Args:
        word: it may also be a word such as ``none`` or an address such as ``hf-hub:…``, which lead nowhere.
    """
    if text.startswith(PACKAGE):
        try:
            locate(folder, text)
        except UserError as error:
            return f"{error.what}; {error.remedy}"
        return None
    text = text.removeprefix("local-dir:")
    if word and (":" in text or not ("/" in text or "." in text)):
        return None
    fixed = re.split(r"[*?\[{]", text, maxsplit=1)[0]
    there = os.path.exists(folder / (text if fixed == text else os.path.dirname(fixed)))
    return None if there else f"{folder / text} does not exist"


def component_choices(recipe: Recipe) -> Iterator[tuple[str, str, ComponentChoice]]:
    """(place, kind, choice) of every component that a recipe names."""
    model = recipe.model
    yield "model.language_model", "language_model", model.language_model
    for route, choice in model.encoders.items():
        yield f"model.encoders.{route}", "understanding_encoder", choice
    for route, choice in model.adapters.items():
        yield f"model.adapters.{route}", "adapter", choice
    for name, kind in (
        ("generation_tokenizer", "generation_tokenizer"),
        ("generation_adapter", "adapter"),
        ("generation_head", "generation_head"),
    ):
        choice = getattr(model, name)
        if choice is not None:
            yield f"model.{name}", kind, choice
    for name, choice in recipe.sources.items():
        yield f"sources.{name}", "data_source", choice


def _components(recipe: Recipe) -> Iterator[str]:
    for place, kind, choice in component_choices(recipe):
        try:
            choose(kind, choice, place)
        except UserError as error:
            yield str(error)


def _model(model: ModelConfig) -> Iterator[str]:
    for route in model.encoders.keys() - model.adapters.keys():
        yield f"model.adapters.{route}: missing; the route {route!r} has an encoder and needs an adapter"
    for route in model.adapters.keys() - model.encoders.keys():
        yield f"model.encoders.{route}: missing; the route {route!r} has an adapter and no encoder"
    if (model.generation_adapter is None) != (model.generation_head is None):
        yield "model: generation_adapter and generation_head come together; give both, or neither"
    if model.generation_head is not None and model.generation_tokenizer is None:
        yield "model.generation_tokenizer: missing; the generation head needs its codes"


def _stages(recipe: Recipe) -> Iterator[str]:
    if not recipe.stages:
        yield "stages: there is none, so there is nothing to train; write at least one"
    names = [stage.name for stage in recipe.stages]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"stages: two stages are named {name!r}"
    for stage in recipe.stages:
        for task, sources in stage.data.items():
            for source in sources:
                if source not in recipe.sources:
                    known = ", ".join(recipe.sources) or "none"
                    yield f"stages.{stage.name}.data.{task}: no source is named {source!r}; sources: {known}"
                elif problem := _task_problem(recipe.sources[source], task):
                    yield f"stages.{stage.name}.data.{task}.{source}: {problem}"
        yield from _patterns(stage, part_names(recipe.model))
        if stage.mixture.get("generation", 0) > 0 and recipe.model.generation_head is None:
            yield f"stages.{stage.name}.mixture.generation: the model has no generation head; set it to 0"
        if stage.mixture.get("understanding", 0) > 0 and not recipe.model.encoders:
            yield f"stages.{stage.name}.mixture.understanding: the model has no encoder; set it to 0"


def _patterns(stage: StageConfig, names: list[str]) -> Iterator[str]:
    for pattern in stage.train:
        try:
            match_parts([pattern], names)
        except UserError as error:
            yield f"stages.{stage.name}.{error}"
    for pattern in stage.learning_rates:
        if not fnmatch.filter(names, pattern):
            near = difflib.get_close_matches(pattern, names, n=2, cutoff=0.4)
            hint = f"did you mean {' or '.join(near)}? " if near else ""
            yield f"stages.{stage.name}.learning_rates: {pattern!r} matches no part; {hint}parts: {', '.join(names)}"


def _task_problem(choice: ComponentChoice, task: str) -> str | None:
    try:
        chosen = choose("data_source", choice, "")
    except UserError:
        return None  # told once, at the source itself
    declared = getattr(chosen.options, "task", None)
    tasks = (declared,) if declared else chosen.component.spec.tasks
    return None if task in tasks else f"gives {' and '.join(tasks)} samples, not {task}"
