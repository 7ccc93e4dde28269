"""``janus import``: a published Janus checkpoint -> our own format, tensor by tensor."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from janus_core.checkpoints.janus.architecture import Architecture, to_model
from janus_core.checkpoints.janus.carried import initial, side_file
from janus_core.checkpoints.janus.deepseek_config import read_deepseek
from janus_core.checkpoints.janus.fields import read_json
from janus_core.checkpoints.janus.huggingface_config import read_huggingface
from janus_core.checkpoints.janus.key_table import Format, detect_format, model_layout
from janus_core.checkpoints.janus.pictures import read_normalisation
from janus_core.checkpoints.janus.text import (
    TOKENIZER,
    Family,
    check_ids,
    evidence_of,
    family_of,
    ids_of,
    read_tokenizer,
    text_config,
)
from janus_core.checkpoints.layouts import Conversion, KeyMap, to_ours
from janus_core.checkpoints.own import STORED, build_empty, new_checkpoint, unique_state
from janus_core.checkpoints.stream import TensorSpec, write_safetensors
from janus_core.checkpoints.tensor_files import TensorFiles
from janus_core.config.provenance import check_provenance
from janus_core.config.recipe import ModelConfig, Recipe, SamplesConfig
from janus_core.errors import UserError
from janus_core.text.tokenizer import TextTokenizer

KEPT = (".json", ".jinja", ".txt", ".md", "")
"""Endings of the small files that are kept beside an imported checkpoint, to be written back; LICENSE has none."""
GUIDANCE = 5.0
"""Of the reference's drawings (``generation_inference.py`` of deepseek-ai/Janus)."""
PROVENANCE = "janus_provenance.json"
"""What we write beside the published files: which components made the weights."""

LARGEST_KEPT = 64 * 2**20
Steps = Callable[[Iterable[str]], Iterable[str]]


@dataclass(slots=True)
class Report:
    """What an import or an export did.

    Attributes:
        form: the published format.
        keys: tensors of the published files, by how many there are.
        parameters: of the model, carried tensors included, buffers not.
        size: bytes of all tensors.
        dtypes: how many tensors are of each type.
        tokens: ids of the special tokens.
        notes: what the user should know.
    """

    form: Format
    family: str
    keys: int
    parameters: int
    size: int
    dtypes: dict[str, int]
    tokens: dict[str, int]
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Plan:
    """All that is known of a published checkpoint before a tensor is read."""

    form: Format
    family: Family
    recipe: Recipe
    text: TextTokenizer
    files: TensorFiles
    side: TensorFiles | None
    expected: dict[str, Tensor]
    random: list[str]
    provenance: dict[str, dict[str, str]]
    parameters: int
    notes: list[str]


def import_checkpoint(
    source: Path, out: Path, *, family: Family | None = None, steps: Steps = lambda keys: keys
) -> Report:
    """Convert a published checkpoint to our own format; ``out`` appears whole or not at all.

    Args:
        source: the folder of the published model.
        family: which roles its weights were trained with, where its files do not tell.
        steps: wraps the keys, for a progress bar.

    Raises:
        UserError: anything that does not fit, with every mistake of its kind; nothing is written then.
        OSError: the disk is full.
    """
    if not source.is_dir():
        raise UserError(f"{source} is no folder", "give the folder of the downloaded model")
    check_target(out)
    with tempfile.TemporaryDirectory(prefix="janus-import-") as scratch:
        plan = _plan(source, Path(scratch), family)
        check_provenance(read_json(source / PROVENANCE).get("provenance", {}), plan.recipe, source)
        specs, carried = _specs(plan, Path(scratch))
        size = sum(spec.size for spec in specs)
        check_space(out, size)
        facts: dict[str, Any] = {
            "provenance": plan.provenance,
            "random": [],
            "dtype": STORED,
            "imported": {"format": plan.form, "family": plan.family, "name": source.resolve().name},
        }
        small = _keep(source, Path(scratch) / "kept")
        with new_checkpoint(out, plan.text, plan.recipe, facts, small) as weights:
            write_safetensors(weights, specs, _tensors(plan, specs, carried, steps))
    plan.files.close()
    return Report(
        form=plan.form,
        family=plan.family,
        keys=len(plan.files.meta),
        parameters=plan.parameters,
        size=size,
        dtypes=dict(Counter(str(spec.dtype).removeprefix("torch.") for spec in specs)),
        tokens=ids_of(plan.text),
        notes=plan.notes,
    )


def read_sizes(config: dict[str, Any], form: Format) -> Architecture:
    """The sizes that a ``config.json`` states in its format."""
    return read_deepseek(config) if form == "deepseek" else read_huggingface(config)


def check_target(out: Path) -> None:
    """Refuse a folder that holds anything: an import or export never writes over something."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"--out {out} exists already", "give the name of a folder that is not there yet")


def check_space(out: Path, size: int) -> None:
    """Refuse to begin what the disk cannot hold."""
    place = out.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < size:
        raise UserError(
            f"{out} needs {size / 2**30:.1f} GiB, and {place} has {free / 2**30:.1f} GiB free",
            "free some space, or choose another folder",
        )


def _plan(source: Path, scratch: Path, said: Family | None) -> _Plan:
    files = TensorFiles(source)
    form = detect_format(files.meta)
    config = read_json(source / "config.json")
    if not config:
        raise UserError(f"{source / 'config.json'} does not exist", "it belongs to the weights: fetch it too")
    notes: list[str] = []
    sizes = read_sizes(config, form)
    text, special = read_tokenizer(source, sizes.language.vocabulary)
    check_ids(text, source, config)
    mean, std = read_normalisation(source, sizes.vision.image_size, notes)
    family = family_of(evidence_of(source, text, sizes.language.hidden), said)
    text.save(scratch / TOKENIZER)
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", source.resolve().name).strip("-.") or "janus"
    recipe = Recipe(
        name=name,
        description=f"imported from {name} ({form}, roles of {family})",
        text=text_config(TOKENIZER, special, family),
        model=to_model(sizes, mean, std),
        stages=[],
        samples=SamplesConfig(guidance=GUIDANCE),
    )
    built = build_empty(recipe, scratch)
    side = side_file(source) if form == "huggingface" else None
    return _Plan(
        form=form,
        family=family,
        recipe=recipe,
        text=text,
        files=files,
        side=None if side is None else TensorFiles(side),
        expected=unique_state(built.model),
        random=built.random,
        provenance=built.provenance,
        parameters=sum(parameter.numel() for parameter in built.model.parameters()),
        notes=notes,
    )


def _specs(plan: _Plan, folder: Path) -> tuple[list[TensorSpec], list[str]]:
    """What will be written, in the order of the source's files, and the carried keys that no file holds."""
    shapes = {key: tuple(tensor.shape) for key, tensor in plan.expected.items()}
    layout = model_layout(plan.recipe.model, plan.form)
    found = to_ours(layout, plan.files.meta, shapes)
    given = _carried(plan, {key: shapes[key] for key in found.carried})
    if found.faults or given.faults:
        parts = [
            found.describe(),
            f"in {plan.side.path.name}: {given.describe()}" if plan.side and given.faults else "",
        ]
        hint = ""
        if "language_model.lm_head.weight" in found.missing:
            hint = " (no lm_head: some releases of transformers tie it and lose it on saving)"
        raise UserError(
            f"the tensors do not fit the model of config.json{hint}:\n" + "\n".join(part for part in parts if part),
            "fetch the files again, all of one revision",
        )
    absent = list(given.carried)
    if absent:
        plan.notes.append(
            f"{len(absent)} tensors that the format lacks and nothing computes with begin anew: {', '.join(absent)}"
        )
    keys, place = KeyMap(layout), {name: i for i, name in enumerate(plan.files.order)}
    state = found.state | given.state | {key: plan.expected[key] for key in absent}
    order = sorted(state, key=lambda key: place.get(keys.names(key)[0], len(place)))
    usual = Counter(tensor.dtype for tensor in found.state.values() if tensor.is_floating_point()).most_common(1)[0][0]
    specs = [TensorSpec(key, state[key].dtype, shapes[key]) for key in order]
    return [TensorSpec(s.name, usual if s.name in absent else s.dtype, s.shape) for s in specs], absent


def _carried(plan: _Plan, shapes: dict[str, tuple[int, ...]]) -> Conversion:
    """What the file beside the weights holds of the tensors that the format lacks."""
    if plan.side is None:
        return Conversion({}, carried=tuple(shapes))
    return to_ours(model_layout(plan.recipe.model, "deepseek"), plan.side.meta, shapes)


def _tensors(plan: _Plan, specs: list[TensorSpec], absent: list[str], steps: Steps) -> Iterator[tuple[str, Tensor]]:
    keys, side = KeyMap(model_layout(plan.recipe.model, plan.form)), KeyMap(model_layout(plan.recipe.model, "deepseek"))
    table = {spec.name: spec for spec in specs}
    for key in steps([spec.name for spec in specs]):
        if key in absent:
            yield key, initial(key, torch.empty(table[key].shape, dtype=table[key].dtype, device="meta"))
        elif keys.carried(key) and plan.side is not None:
            yield key, side.read(key, [plan.side.get(name) for name in side.names(key)])
        else:
            yield key, keys.read(key, [plan.files.get(name) for name in keys.names(key)])


def _keep(source: Path, target: Path) -> Path:
    """Copy the small files of the published model."""
    target.mkdir()
    for path in sorted(source.iterdir()):
        small = path.is_file() and path.suffix in KEPT and path.stat().st_size <= LARGEST_KEPT
        small = small and path.name != PROVENANCE  # of the weights as they were exported then
        if small and not path.name.startswith(".") and not path.name.endswith(".index.json"):
            shutil.copyfile(path, target / path.name)
    return target


def model_of(config: dict[str, Any], form: Format) -> ModelConfig:
    """The model section that a ``config.json`` describes, with Janus' normalisation."""
    return to_model(read_sizes(config, form), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
