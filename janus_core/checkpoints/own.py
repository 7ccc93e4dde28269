"""Our own checkpoint format: a folder with the resolved recipe, the text tokenizer and the weights of every part."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from janus_core.checkpoints.atomic import atomic_folder, make_good
from janus_core.config.load import load, to_yaml
from janus_core.config.recipe import Recipe
from janus_core.errors import UserError
from janus_core.model.build import BuiltModel, build_model

FORMAT = 1
WEIGHTS, RECIPE, FACTS, TEXT = "model.safetensors", "recipe.yaml", "janus.json", "text_tokenizer.json"


def save_checkpoint(folder: Path, built: BuiltModel, recipe: Recipe, facts: dict[str, Any]) -> None:
    """Write a checkpoint; the folder appears whole or not at all.

    Args:
        facts: what else to record: stage, step, digests.
    """
    with atomic_folder(folder) as partial:
        built.text.save(partial / TEXT)
        text = recipe.text.model_copy(update={"tokenizer": TEXT})
        (partial / RECIPE).write_text(to_yaml(recipe.model_copy(update={"text": text})), encoding="utf-8")
        about = {
            "format": FORMAT,
            "recipe": recipe.name,
            "provenance": built.provenance,
            "random": built.random,
            **facts,
        }
        (partial / FACTS).write_text(json.dumps(about, indent=2, ensure_ascii=False), encoding="utf-8")
        try:
            save_file(unique_state(built.model), partial / WEIGHTS)
        except SafetensorError as error:  # a full disk among others: it is no OSError
            raise UserError(f"{folder} cannot be written: {error}", "free some space, then --resume") from error


def load_checkpoint(folder: Path) -> tuple[BuiltModel, Recipe, dict[str, Any]]:
    """Build the model of a checkpoint and load every tensor.

    Raises:
        UserError: the folder is no checkpoint, its weights are damaged, or they do not fit the model.
    """
    folder = find_checkpoint(folder)
    facts = read_facts(folder)
    if facts.get("format") != FORMAT:
        raise UserError(f"{folder} has checkpoint format {facts.get('format')}, this version reads {FORMAT}")
    recipe = load(Recipe, folder / RECIPE)
    built = build_model(recipe.model, recipe.text, seed=recipe.seed, folder=folder, skip_weights=True)
    load_weights(built.model, folder / WEIGHTS)
    built.random = list(facts.get("random", []))
    return built, recipe, facts


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
    """The checkpoint in a folder: the folder itself, or ``checkpoint`` in the folder of a run."""
    for place in (folder, folder / "checkpoint"):
        if place.name:
            make_good(place)
        if (place / FACTS).is_file():
            return place
    what = "does not exist" if not folder.exists() else f"is no checkpoint: it holds no {FACTS}"
    raise UserError(f"{folder} {what}", "give the folder of a run or of a checkpoint; 'janus train' writes one")


def load_weights(model: nn.Module, path: Path) -> None:
    """Load a weights file over a model, every tensor of both accounted for."""
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{path} cannot be read: {error}", "the file is damaged or missing: copy or train it again"
        ) from error
    own = unique_state(model)
    wrong = [f"missing: {key}" for key in own.keys() - state.keys()]
    wrong += [f"unexpected: {key}" for key in state.keys() - own.keys()]
    wrong += [
        f"misshapen: {key} is {tuple(state[key].shape)}, the model has {tuple(own[key].shape)}"
        for key in own.keys() & state.keys()
        if own[key].shape != state[key].shape
    ]
    if wrong:
        raise UserError(f"{path} does not fit the model:\n  " + "\n  ".join(sorted(wrong)[:20]))
    with torch.no_grad():
        for key, tensor in own.items():
            tensor.copy_(state[key])


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
