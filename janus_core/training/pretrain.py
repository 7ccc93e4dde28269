"""Trains one part alone, before recipes freeze it: ``janus pretrain``."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import lightning
import torch
from lightning.pytorch.loggers import CSVLogger
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from janus_core.checkpoints.atomic import atomic_folder
from janus_core.checkpoints.own import digest, unique_state
from janus_core.config.choose import choose, load
from janus_core.config.load import to_yaml
from janus_core.config.recipe import PretrainRecipe
from janus_core.data.mixture import sample_index
from janus_core.data.sources import build_source
from janus_core.errors import UserError
from janus_core.interfaces import BadRecord, BuildContext, DataSource, Given, Pretrainable, Sample, Target, Transform
from janus_core.model.build import make, provenance, seeded
from janus_core.training.callbacks import StageProgress
from janus_core.training.optimiser import schedule
from janus_core.training.quiet import quiet
from janus_core.training.run_folder import environment
from janus_core.training.threads import choose_threads

VALIDATION_BATCHES = 8


def pretrain(
    recipe: PretrainRecipe,
    *,
    folder: Path,
    out: Path,
    progress: bool = True,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, float]:
    """Train a part and write ``out``: ``weights.safetensors``, ``recipe.yaml``, ``numbers.json``; return the numbers.

    Raises:
        UserError: the recipe is wrong, the part cannot be trained alone, or ``out`` exists.
    """
    if out.exists():
        raise UserError(f"{out} already exists", "give another --out")
    choose_threads(recipe.run.threads)
    chosen = choose(recipe.kind, recipe.part, "part")
    context = BuildContext(folder, image_size=recipe.image_size)
    with seeded(recipe.seed, recipe.kind):
        part = cast(nn.Module, make(chosen, context, "part"))
        begin = getattr(part, "pretraining", None)
        if begin is None:
            raise UserError(f"part: {chosen.component.qualified} cannot be trained alone: it offers no pretraining()")
        trained = begin()
    try:
        transform = cast(Transform, load(chosen.component, chosen.component.spec.transform)(chosen.options, context))
    except ValueError as error:
        raise UserError(f"part ({chosen.component.qualified}): {error}") from error
    source = build_source(recipe.source, "source", folder)
    validation = build_source(recipe.validation, "validation", folder) if recipe.validation else None
    pictures = _loader(source, transform, recipe, recipe.steps, "train")
    held_out = _loader(validation or source, transform, recipe, VALIDATION_BATCHES, "validation")
    for loader in (pictures, held_out):
        loader.dataset[0]  # a source without pictures is told before anything is written or trained
    module = _PartTraining(part, trained, recipe)
    with quiet():
        trainer = lightning.Trainer(
            accelerator=recipe.run.accelerator,
            devices=1,
            precision=recipe.run.precision,
            max_steps=recipe.steps,
            gradient_clip_val=recipe.clip,
            log_every_n_steps=min(recipe.run.log_every, recipe.steps),
            callbacks=[StageProgress(recipe.name)] if progress else [],
            logger=CSVLogger(out.parent / "logs", name=out.name),
            enable_progress_bar=progress,
            enable_checkpointing=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        # The dead codes of a tokenizer are restarted from torch's generator.
        with seeded(recipe.seed, "pretrain"):
            trainer.fit(module, pictures)
    module.eval()
    numbers = _measure(trained, held_out)
    say(", ".join(f"{name} {value:.4g}" for name, value in numbers.items()))
    state = {k: v.half() if recipe.half and v.is_floating_point() else v for k, v in unique_state(part).items()}
    with atomic_folder(out) as partial:
        save_file(state, partial / "weights.safetensors")
        (partial / "recipe.yaml").write_text(to_yaml(recipe), encoding="utf-8")
        about = {
            "numbers": numbers,
            "measured_on": "validation" if validation is not None else "training pictures",
            "steps": recipe.steps,
            "parameters": sum(p.numel() for p in part.parameters()),
            "sha256": digest(part),
            "part": provenance(chosen),
            "environment": environment(),
        }
        (partial / "numbers.json").write_text(json.dumps(about, indent=2), encoding="utf-8")
    return numbers


class _PartTraining(lightning.LightningModule):
    """Holds the part and what trains it; the latter may be a module of its own (a text tower), or not."""

    def __init__(self, part: nn.Module, trained: Pretrainable, recipe: PretrainRecipe) -> None:
        super().__init__()
        self.part, self.trained, self._recipe = part, trained, recipe

    def configure_optimizers(self) -> Any:
        recipe = self._recipe
        groups = [
            {**group, "lr": recipe.learning_rate * group.get("factor", 1.0)}
            for group in self.trained.optimizer_groups()
        ]
        optimiser = torch.optim.AdamW(
            groups, lr=recipe.learning_rate, betas=recipe.betas, weight_decay=recipe.weight_decay
        )
        factor = schedule(recipe.schedule, warmup=recipe.warmup, steps=recipe.steps, final=recipe.final_rate)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def training_step(self, batch: Mapping[str, Any], batch_index: int) -> Tensor:
        losses = self.trained.losses(batch, self.global_step)
        self.log_dict({name: value.detach() for name, value in losses.items()}, prog_bar=True, batch_size=1)
        return losses["loss"]


class _Pictures(Dataset[tuple[Any, str]]):
    """Prepared pictures with captions, in an order keyed by the recipe's seed."""

    def __init__(self, source: DataSource, transform: Transform, seed: int, name: str, length: int) -> None:
        if not len(source):
            raise UserError("the source holds no samples", "check its path and its file")
        self._source, self._transform, self._seed, self._name, self._length = source, transform, seed, name, length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, number: int) -> tuple[Any, str]:
        index = sample_index(self._seed, self._name, number, len(self._source))
        for offset in range(100):
            try:
                picture, caption = picture_and_caption(self._source[(index + offset) % len(self._source)])
                return self._transform(picture), caption
            except (ValueError, OSError) as error:  # bad records, and pictures that the transform refuses
                last = error
        raise UserError(f"100 records in a row are unusable; the last: {last}", "mend the data")


def picture_and_caption(sample: Sample) -> tuple[Any, str]:
    """The picture of a sample and the words that go with it: the prompt of a drawing, the description of an input."""
    pictures = [part.raw for m in sample.messages for part in m.parts if isinstance(part, Given | Target)]
    said_by = "user" if sample.task == "generation" else "assistant"
    words = [part for m in sample.messages if m.role == said_by for part in m.parts if isinstance(part, str)]
    if not pictures:
        raise BadRecord(sample.id, "holds no picture")
    return pictures[0], " ".join(words)


def _loader(
    source: DataSource, transform: Transform, recipe: PretrainRecipe, batches: int, name: str
) -> DataLoader[Any]:
    def collate(items: Sequence[tuple[Any, str]]) -> dict[str, Any]:
        return {"inputs": transform.collate([item for item, _ in items]), "captions": [text for _, text in items]}

    dataset = _Pictures(source, transform, recipe.seed, name, batches * recipe.batch_size)
    return DataLoader(dataset, batch_size=recipe.batch_size, collate_fn=collate)


@torch.no_grad()
def _measure(part: Pretrainable, loader: DataLoader[Any]) -> dict[str, float]:
    """The mean of each loss over the loader."""
    sums: dict[str, list[float]] = defaultdict(list)
    for batch in loader:
        for name, value in part.losses(batch, 0).items():
            sums[name].append(float(value))
    return {name: sum(values) / len(values) for name, values in sums.items()}
