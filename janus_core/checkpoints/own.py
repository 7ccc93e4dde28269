"""Our own checkpoint format: a folder with the resolved recipe, the text tokenizer and the weights of every part."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from janus_core.checkpoints.atomic import atomic_folder, make_good
from janus_core.checkpoints.stream import TensorSpec, write_safetensors
from janus_core.config.begin import FACTS, RECIPE, TEXT, checkpoint_folder
from janus_core.config.load import load, to_yaml
from janus_core.config.provenance import check_provenance
from janus_core.config.recipe import ModelConfig, Recipe
from janus_core.errors import UserError
from janus_core.model.build import BuiltModel, build_model
from janus_core.model.janus import JanusModel
from janus_core.model.lora import inject, load_updates, merge
from janus_core.model.lora_names import split_state
from janus_core.text.tokenizer import TextTokenizer

FORMAT = 1
WEIGHTS = "model.safetensors"
UPDATES = "lora.safetensors"
SOURCE = "source"
"""Folder of the small files of the published model that a checkpoint was imported from."""
STORED = "stored"
"""Value of the fact ``dtype``: the tensors keep the types of the file."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint's folder, its recipe and its facts."""

    folder: Path
    recipe: Recipe
    facts: dict[str, Any]

    @property
    def weights(self) -> Path:
        """The file of the tensors."""
        return self.folder / WEIGHTS

    @property
    def updates(self) -> Path | None:
        """The file of the low-rank updates that are not merged yet, or None."""
        found = self.folder / UPDATES
        return found if found.is_file() else None

    @property
    def source(self) -> Path | None:
        """The small files of the published model that it came from, or None."""
        found = self.folder / SOURCE
        return found if found.is_dir() else None


@contextmanager
def new_checkpoint(
    folder: Path, text: TextTokenizer, recipe: Recipe, facts: dict[str, Any], source: Path | None = None
) -> Iterator[Path]:
    """Give the path at which to write the weights; all else is written here. The folder appears whole or not at all.

    Args:
        facts: provenance, random parts, and what else to record.
        source: a folder of small files to keep: those of the published model that the weights came from.
    """
    with atomic_folder(folder) as partial:
        text.save(partial / TEXT)
        config = recipe.text.model_copy(update={"tokenizer": TEXT})
        (partial / RECIPE).write_text(to_yaml(recipe.model_copy(update={"text": config})), encoding="utf-8")
        about = {"format": FORMAT, "recipe": recipe.name, **facts}
        (partial / FACTS).write_text(json.dumps(about, indent=2, ensure_ascii=False), encoding="utf-8")
        if source is not None:
            shutil.copytree(source, partial / SOURCE)
        yield partial / WEIGHTS


def save_checkpoint(
    folder: Path, built: BuiltModel, recipe: Recipe, facts: dict[str, Any], source: Path | None = None
) -> None:
    """Write a checkpoint; the folder appears whole or not at all.

    Args:
        facts: what else to record: stage, step, digests.
        source: see `new_checkpoint`.
    """
    recipe = recipe.model_copy(update={"model": with_architectures(recipe.model, built.model)})
    known = {"provenance": built.provenance, "random": built.random, **facts}
    with new_checkpoint(folder, built.text, recipe, known, source) as weights:
        state, updates = split_state(unique_state(built.model))
        write_safetensors(weights, [TensorSpec.of(*item) for item in state.items()], state.items())
        if updates:
            path = weights.with_name(UPDATES)
            write_safetensors(path, [TensorSpec.of(*item) for item in updates.items()], updates.items())


def with_architectures(config: ModelConfig, model: JanusModel) -> ModelConfig:
    """The model's section with what its parts declare of themselves, so that no other file is needed to build them."""
    found = config.model_copy(deep=True)
    for name, part in model.parts().items():
        if callable(declared := getattr(part, "architecture", None)):
            head, _, route = name.partition(".")
            choice = getattr(found, head)[route] if route else getattr(found, head)
            choice.options |= declared()
    return found


def read_checkpoint(folder: Path) -> Checkpoint:
    """What a checkpoint says of itself; no tensor is read.

    Raises:
        UserError: the folder is no checkpoint, or of another format.
    """
    folder = find_checkpoint(folder)
    facts = read_facts(folder)
    if facts.get("format") != FORMAT:
        raise UserError(f"{folder} has checkpoint format {facts.get('format')}, this version reads {FORMAT}")
    return Checkpoint(folder, load(Recipe, folder / RECIPE), facts)


def load_checkpoint(folder: Path) -> tuple[BuiltModel, Recipe, dict[str, Any]]:
    """Build the model of a checkpoint and load every tensor, as stored if it was imported, else as float32.

    Raises:
        UserError: the folder is no checkpoint, its weights are damaged, or they do not fit the model.
    """
    found = read_checkpoint(folder)
    built = build_filled(found.recipe, found.folder, found, stored=found.facts.get("dtype") == STORED)
    if found.updates is not None and found.recipe.lora is not None:
        inject(built.model, found.recipe.lora)
        load_updates(built.model, _read(found.updates))
    return built, found.recipe, found.facts


def build_filled(recipe: Recipe, folder: Path, weights: Checkpoint, *, stored: bool) -> BuiltModel:
    """The model of a recipe with the tensors of a checkpoint; its low-rank updates are left out.

    Args:
        folder: relative paths in the recipe are relative to it.
        stored: keep the types of the file; else float32.

    Raises:
        UserError: see `check_provenance`, `fill` and `build_model`.
    """
    check_provenance(weights.facts.get("provenance", {}), recipe, weights.folder, theirs=weights.recipe)
    built = build_empty(recipe, folder)
    if not fill(built.model, weights.weights, stored=stored):
        built = build_model(recipe.model, recipe.text, seed=recipe.seed, folder=folder, skip_weights=True)
        load_weights(built.model, weights.weights)
    built.random = list(weights.facts.get("random", []))
    return built


def merge_checkpoint(folder: Path, out: Path) -> None:
    """Write a checkpoint with its low-rank updates added to the weights that they update.

    Raises:
        UserError: it has none.
    """
    found = read_checkpoint(folder)
    if found.updates is None:
        raise UserError(f"{folder} has no LoRA weights to merge", "use it as it is")
    built, recipe, facts = load_checkpoint(folder)
    merge(built.model)
    kept = {key: value for key, value in facts.items() if key not in ("format", "recipe", "provenance", "random")}
    save_checkpoint(out, built, recipe.model_copy(update={"lora": None}), kept, found.source)


def build_empty(recipe: Recipe, folder: Path) -> BuiltModel:
    """The model of a recipe on the meta device: names, types and shapes, no memory.

    A component that cannot be built without memory is built with it, and so is all else.
    """
    options: dict[str, Any] = {"seed": recipe.seed, "folder": folder, "skip_weights": True}
    try:
        with torch.device("meta"):
            return build_model(recipe.model, recipe.text, **options)
    except (RuntimeError, NotImplementedError):  # a factory that looks at the values of its tensors
        return build_model(recipe.model, recipe.text, **options)


def fill(model: nn.Module, path: Path, *, stored: bool) -> bool:
    """Put the tensors of a file in the place of a model's own; each is mapped from the file, none is copied.

    Args:
        stored: keep the types of the file, which else become the model's.

    Returns:
        Whether nothing is left on the meta device: false if the model computes tensors that no file holds.

    Raises:
        UserError: the file is damaged or does not fit the model.
    """
    state = _read(path)
    own = unique_state(model)
    _check_fit(own, state, path)
    if not stored:
        state = {key: tensor.to(own[key].dtype) for key, tensor in state.items()}
    first = {id(tensor): key for key, tensor in reversed(model.state_dict(keep_vars=True).items())}
    named = {key: state[first[id(tensor)]] for key, tensor in model.state_dict(keep_vars=True).items()}
    model.load_state_dict(named, assign=True)
    return not any(tensor.is_meta for tensor in chain(model.parameters(), model.buffers()))


def read_facts(folder: Path) -> dict[str, Any]:
    """What a checkpoint records of itself; `UserError` if the file is damaged."""
    path = folder / FACTS
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read: {error}", "the checkpoint is damaged: copy or train it again"
        ) from error
    if not isinstance(facts, dict):
        raise UserError(f"{path} holds {type(facts).__name__}, not an object", "copy or train the checkpoint again")
    return facts


def find_checkpoint(folder: Path) -> Path:
    """The checkpoint in a folder, as `checkpoint_folder`; one whose writing was cut short is made good first."""
    for place in (folder, folder / "checkpoint"):
        if place.name:
            make_good(place)
    return checkpoint_folder(folder)


def load_weights(model: nn.Module, path: Path) -> None:
    """Load a weights file over a model, every tensor of both accounted for."""
    state = _read(path)
    own = unique_state(model)
    _check_fit(own, state, path)
    with torch.no_grad():
        for key, tensor in own.items():
            tensor.copy_(state[key])


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{path} cannot be read: {error}", "the file is damaged or missing: copy or train it again"
        ) from error


def _check_fit(own: dict[str, Tensor], state: dict[str, Tensor], path: Path) -> None:
    wrong = [f"missing: {key}" for key in own.keys() - state.keys()]
    wrong += [f"unexpected: {key}" for key in state.keys() - own.keys()]
    wrong += [
        f"misshapen: {key} is {tuple(state[key].shape)}, the model has {tuple(own[key].shape)}"
        for key in own.keys() & state.keys()
        if own[key].shape != state[key].shape
    ]
    if wrong:
        raise UserError(f"{path} does not fit the model:\n  " + "\n  ".join(sorted(wrong)[:20]))


def unique_state(model: nn.Module) -> dict[str, Tensor]:
    """The state of a model; a tensor that two parts share is there once, under its first name."""
    state: dict[str, Tensor] = {}
    seen: set[int] = set()
    for key, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            state[key] = tensor.detach().contiguous()
    return state


def digest(module: nn.Module) -> str:
    """SHA-256 over names, types, shapes and values of a module's state."""
    total = hashlib.sha256()
    for key, tensor in sorted(module.state_dict().items()):
        value = tensor.detach().cpu().contiguous()
        total.update(f"{key} {value.dtype} {tuple(value.shape)}".encode())
        total.update(
            value.view(torch.uint8).numpy().tobytes()
            if value.dim()
            else value.reshape(1).view(torch.uint8).numpy().tobytes()
        )
    return total.hexdigest()
