"""Trains one part alone, before recipes freeze it: ``janus pretrain``."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import lightning
import torch
from lightning.fabric.utilities.apply_func import move_data_to_device
from lightning.pytorch.loggers import CSVLogger
from safetensors.torch import save_file
from torch import nn
from torch.utils.data import DataLoader

from janus_core.checkpoints.atomic import atomic_folder
from janus_core.checkpoints.own import digest, unique_state
from janus_core.config.choose import Chosen, choose, choose_losses, load
from janus_core.config.load import to_yaml
from janus_core.config.provenance import provenance, source_provenance
from janus_core.config.recipe import PretrainRecipe
from janus_core.data.sources import build_source
from janus_core.errors import UserError
from janus_core.interfaces import BuildContext, Pretrainable, Transform
from janus_core.model.build import make, seeded
from janus_core.training.callbacks import StageProgress
from janus_core.training.pretrain_loop import PartTraining
from janus_core.training.pretrain_pictures import held_out_loader, training_loader
from janus_core.training.quiet import quiet
from janus_core.training.run_folder import environment
from janus_core.training.threads import choose_threads

TRAINING_BATCHES = 8
"""Batches of training pictures that are measured where there are no held-out ones."""


def pretrain(
    recipe: PretrainRecipe,
    *,
    folder: Path,
    out: Path,
    progress: bool = True,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, float]:
    """Train a part and write ``out``: ``weights.safetensors``, ``recipe.yaml``, ``numbers.json``, ``logs``.

    ``out`` appears whole at the end, or not at all. Returns the numbers.

    Raises:
        UserError: the recipe is wrong, the part cannot be trained alone, it diverged, or ``out`` exists.
    """
    if out.exists():
        raise UserError(f"{out} already exists", "give another --out")
    choose_threads(recipe.run.threads)
    chosen = choose(recipe.kind, recipe.part, "part")
    context = BuildContext(folder, image_size=recipe.image_size)
    losses = choose_losses(chosen, recipe.losses, "losses")
    with seeded(recipe.seed, recipe.kind):
        part = cast(nn.Module, make(chosen, context, "part"))
        trained = cast(Pretrainable, _call(chosen, chosen.component.spec.pretraining, part, losses, context))
    transform = cast(Transform, _call(chosen, chosen.component.spec.transform, chosen.options, context))
    source = build_source(recipe.source, "source", folder)
    validation = build_source(recipe.validation, "validation", folder) if recipe.validation else None
    pictures = training_loader(source, transform, recipe)
    usual = TRAINING_BATCHES * recipe.batch_size if validation is None else len(validation)
    held_out = held_out_loader(validation or source, transform, recipe, usual)
    notes = list(getattr(trained, "notes", ()))
    for note in notes:
        say(f"note: {note}")
    with atomic_folder(out) as partial:
        module = PartTraining(part, trained, recipe)
        device = _fit(module, pictures, recipe, partial, progress)
        for name, steps in module.steps.items():
            if not steps:
                notes.append(f"{name} was never minimised: it did not begin in {recipe.steps} steps")
                say(f"note: {notes[-1]}")
        _check_finite(part)
        numbers, measured = _measure(module, held_out, device, recipe.steps)
        say(", ".join(f"{name} {value:.4g}" for name, value in numbers.items()))
        about = {
            "numbers": numbers,
            "measured_on": "validation" if validation is not None else "training pictures",
            "pictures": measured,
            "unusable_pictures": len(cast(Any, held_out.dataset)) - measured,
            "notes": notes,
            "losses": None if losses is None else losses.model_dump(mode="json"),
            "optimiser_steps": module.steps,
        }
        _write(partial, part, chosen, recipe, about)
    return numbers


def _call(chosen: Chosen, reference: str, *arguments: object) -> object:
    try:
        return load(chosen.component, reference)(*arguments)
    except (ValueError, OSError) as error:
        raise UserError(f"part ({chosen.component.qualified}): {error}") from error


def _fit(
    module: PartTraining, pictures: DataLoader[Any], recipe: PretrainRecipe, folder: Path, progress: bool
) -> torch.device:
    """Train; gives the device that it was done on."""
    with quiet():
        trainer = lightning.Trainer(
            accelerator=recipe.run.accelerator,
            devices=1,
            precision=recipe.run.precision,
            max_steps=recipe.steps,
            log_every_n_steps=min(recipe.run.log_every, recipe.steps),
            callbacks=[StageProgress(recipe.name)] if progress else [],
            logger=CSVLogger(folder, name="logs", version=""),
            enable_progress_bar=progress,
            enable_checkpointing=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        # The dead codes of a tokenizer are restarted from torch's generator.
        with seeded(recipe.seed, "pretrain"), _interruptible():
            trainer.fit(module, pictures)
    return trainer.strategy.root_device


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C is Ctrl-C: Lightning makes it an exit with code 1, and leaves further ones ignored."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        raise KeyboardInterrupt from error
    finally:
        if signal.getsignal(signal.SIGINT) is not handler:
            signal.signal(signal.SIGINT, handler)


def _check_finite(part: nn.Module) -> None:
    bad = [
        name for name, value in unique_state(part).items() if value.is_floating_point() and not value.isfinite().all()
    ]
    if bad:
        raise UserError(
            f"the training diverged: {bad[0]} and {len(bad) - 1} other tensors hold nan or infinity",
            "lower learning_rate or clip, or raise warmup",
        )


@torch.no_grad()
def _measure(
    module: PartTraining, loader: DataLoader[Any], device: torch.device, step: int
) -> tuple[dict[str, float], int]:
    """Numbers over all pictures of the loader, and how many there were."""
    measured = 0

    def batches() -> Iterator[dict[str, Any]]:
        nonlocal measured
        for batch in loader:
            if batch is not None:
                measured += len(batch["captions"])
                yield move_data_to_device(batch, device)

    module.eval().to(device)
    measure = getattr(module.trained, "measure", None)
    numbers = measure(batches()) if measure is not None else mean_losses(module.trained, batches(), step)
    module.cpu()
    return numbers, measured


def mean_losses(trained: Pretrainable, batches: Iterator[dict[str, Any]], step: int) -> dict[str, float]:
    """The mean of each of the losses over the pictures of all batches."""
    sums: dict[str, float] = {}
    count = 0
    for batch in batches:
        size = len(batch["captions"])
        count += size
        for name, value in trained.losses(batch, step).items():
            sums[name] = sums.get(name, 0.0) + float(value) * size
    return {name: value / count for name, value in sums.items()}


def _write(folder: Path, part: nn.Module, chosen: Chosen, recipe: PretrainRecipe, about: dict[str, Any]) -> None:
    state = {k: v.half() if recipe.half and v.is_floating_point() else v for k, v in unique_state(part).items()}
    save_file(state, folder / "weights.safetensors")
    (folder / "recipe.yaml").write_text(to_yaml(recipe), encoding="utf-8")
    held_out = {} if recipe.validation is None else {"validation": recipe.validation}
    about |= {
        "steps": recipe.steps,
        "parameters": sum(p.numel() for p in part.parameters()),
        "sha256": digest(part),
        "part": provenance(chosen.component),
        **source_provenance({"training": recipe.source} | held_out, ["training", *held_out]),
        "environment": environment(),
    }
    (folder / "numbers.json").write_text(json.dumps(about, indent=2), encoding="utf-8")
