"""``janus export``: a checkpoint of ours -> DeepSeek's layout or Hugging Face's, tensor by tensor."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from janus_core.checkpoints.atomic import atomic_folder
from janus_core.checkpoints.janus.architecture import Architecture, Triple, of_model
from janus_core.checkpoints.janus.carried import FILE
from janus_core.checkpoints.janus.deepseek_config import write_deepseek
from janus_core.checkpoints.janus.fields import read_json
from janus_core.checkpoints.janus.huggingface_config import write_huggingface
from janus_core.checkpoints.janus.key_table import Format, model_layout
from janus_core.checkpoints.janus.pictures import FILE as PICTURES
from janus_core.checkpoints.janus.pictures import deepseek_pictures, huggingface_pictures
from janus_core.checkpoints.janus.read import PROVENANCE, Report, Steps, check_space, check_target
from janus_core.checkpoints.janus.text import TOKENIZER, ids_of
from janus_core.checkpoints.janus.text_files import (
    Json,
    deepseek_text_files,
    huggingface_text_files,
    write_files,
    write_tokenizer,
)
from janus_core.checkpoints.layouts import KeyMap
from janus_core.checkpoints.own import Checkpoint, build_empty, read_checkpoint, unique_state
from janus_core.checkpoints.stream import SHARD, TensorSpec, write_safetensors, write_shards
from janus_core.checkpoints.tensor_files import TensorFiles
from janus_core.config.provenance import check_provenance
from janus_core.errors import UserError
from janus_core.model.build import BuiltModel


def export_checkpoint(
    folder: Path,
    out: Path,
    form: Format,
    *,
    dtype: torch.dtype | None = None,
    shard: int = SHARD,
    steps: Steps = lambda keys: keys,
) -> Report:
    """Write a checkpoint of ours in a published format; ``out`` appears whole or not at all.

    Args:
        folder: the checkpoint, imported or trained here of Janus' components.
        dtype: of every floating tensor; None: as stored.
        shard: largest file of weights, in bytes.
        steps: wraps the keys, for a progress bar.

    Raises:
        UserError: the model has parts that the format cannot hold, or the checkpoint is damaged.
        OSError: the disk is full.
    """
    check_target(out)
    found = read_checkpoint(folder)
    if found.updates is not None:
        raise UserError(
            f"{folder} holds LoRA weights beside its own", f"merge them first: janus merge {folder} --out DIR"
        )
    check_provenance(found.facts.get("provenance", {}), found.recipe, found.folder)
    built = build_empty(found.recipe, found.folder)
    sizes, mean, std = of_model(found.recipe.model, found.recipe.model.vocabulary or len(built.text))
    own = TensorFiles(found.weights)
    _check(own, unique_state(built.model), found)
    stored = {key: _cast(tensor, dtype) for key, tensor in own.meta.items()}
    usual = Counter(str(t.dtype) for t in stored.values() if t.is_floating_point()).most_common(1)[0][0]
    keys, deepseek = (
        KeyMap(model_layout(found.recipe.model, form)),
        KeyMap(model_layout(found.recipe.model, "deepseek")),
    )
    written = [key for key in unique_state(built.model) if not keys.carried(key)]
    aside = [key for key in stored if keys.carried(key)]
    specs = _specs(keys, stored, written)
    size = sum(spec.size for spec in specs)
    check_space(out, size)
    with atomic_folder(out) as partial:
        files = _files(found, built, sizes, (mean, std), form, usual.removeprefix("torch."))
        _write_small(partial, found, built, form, files)
        about = {"recipe": found.recipe.name, "provenance": found.facts.get("provenance", {})}
        (partial / PROVENANCE).write_text(json.dumps(about, indent=2), encoding="utf-8")
        write_shards(partial, specs, _tensors(own, keys, steps(written), dtype), shard=shard)
        if aside:
            write_safetensors(partial / FILE, _specs(deepseek, stored, aside), _tensors(own, deepseek, aside, dtype))
    own.close()
    chat = found.recipe.text.chat
    notes = [f"{len(aside)} tensors that the format lacks lie in {FILE}"] if aside else []
    return Report(
        form=form,
        family=f"{chat.user} / {chat.assistant}",
        keys=len(specs),
        parameters=sum(parameter.numel() for parameter in built.model.parameters()),
        size=size,
        dtypes=dict(Counter(str(spec.dtype).removeprefix("torch.") for spec in specs)),
        tokens=ids_of(built.text),
        notes=notes,
    )


def _check(own: TensorFiles, expected: dict[str, Tensor], found: Checkpoint) -> None:
    wrong = [f"missing: {key}" for key in expected if key not in own.meta]
    wrong += [f"unexpected: {key}" for key in own.meta if key not in expected]
    wrong += [f"misshapen: {k}" for k, t in expected.items() if k in own.meta and own.meta[k].shape != t.shape]
    if wrong:
        raise UserError(f"{found.weights} does not fit its recipe:\n" + "\n".join(wrong[:20]))


def _cast(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    return tensor.to(dtype) if dtype is not None and tensor.is_floating_point() else tensor


def _specs(keys: KeyMap, stored: dict[str, Tensor], wanted: list[str]) -> list[TensorSpec]:
    return [TensorSpec.of(name, part) for key in wanted for name, part in keys.write(key, stored[key]).items()]


def _tensors(own: TensorFiles, keys: KeyMap, wanted: Any, dtype: torch.dtype | None) -> Iterator[tuple[str, Tensor]]:
    for key in wanted:
        yield from keys.write(key, _cast(own.get(key), dtype)).items()


def _files(
    found: Checkpoint, built: BuiltModel, sizes: Architecture, pixels: tuple[Triple, Triple], form: Format, dtype: str
) -> dict[str, Json | str]:
    """The small files of a format, made from the recipe."""
    assert built.model.code_layout is not None
    tokens, longest = built.model.code_layout.positions, sizes.language.max_positions
    chat = found.recipe.text.chat
    if form == "deepseek":
        config, pictures = write_deepseek(sizes, dtype), deepseek_pictures(sizes, *pixels)
        texts = deepseek_text_files(built.text, chat, tokens, longest)
    else:
        config = write_huggingface(sizes, dtype, ids_of(built.text))
        pictures = huggingface_pictures(sizes, *pixels)
        texts = huggingface_text_files(built.text, chat, tokens, longest)
    return {"config.json": config, PICTURES: pictures, **texts}


def _write_small(
    folder: Path, found: Checkpoint, built: BuiltModel, form: Format, files: dict[str, Json | str]
) -> None:
    """Write the small files: those that came with the model as they were, if it came in this format."""
    source = found.source
    same = source is not None and (found.facts.get("imported") or {}).get("format") == form
    if source is None or not same:
        write_tokenizer(built.text, folder / TOKENIZER)
        write_files(folder, files)
        for licence in sorted(source.glob("LICENSE*")) if source else []:
            shutil.copyfile(licence, folder / licence.name)
        return
    shutil.copytree(source, folder, dirs_exist_ok=True)
    dtype = files["config.json"]["torch_dtype"]  # type: ignore[index]
    config = read_json(folder / "config.json")
    if _state_dtype(config, str(dtype)):
        (folder / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False), encoding="utf-8")


def _state_dtype(config: dict[str, Any], dtype: str) -> bool:
    """Set the stated type where it is another; whether anything changed."""
    changed = False
    for key, value in config.items():
        if isinstance(value, dict):
            changed |= _state_dtype(value, dtype)
        elif key in ("torch_dtype", "dtype") and value != dtype:
            config[key], changed = dtype, True
    return changed
