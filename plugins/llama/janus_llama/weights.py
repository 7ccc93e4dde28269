"""Reading Hugging Face Llama weights (safetensors), strictly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn

from janus_llama.options import LlamaOptions

VOCABULARY_KEYS = ("model.embed_tokens.weight", "lm_head.weight")
IGNORED_SUFFIX = "rotary_emb.inv_freq"
"""Old files hold the rotary frequencies; they follow from rope_theta."""


@torch.no_grad()
def load_weights(model: nn.Module, path: Path, options: LlamaOptions) -> None:
    """Copy the weights at ``path`` into every parameter of ``model``.

    ``path`` is a folder (``model.safetensors.index.json``, or its only safetensors file) or one file. A
    ``config.json`` beside the file is compared with the options. Where the file's embedding has fewer rows than the
    model's, the rest is drawn from normal(0, initializer_range).

    Raises:
        FileNotFoundError: nothing to read at ``path``.
        ValueError: every missing, unknown or misshapen key and every differing setting, in one message.
    """
    where = {key: file for file in _files(path) for key in _keys(file)}
    problems = _compare_config(path if path.is_dir() else path.parent, options)
    wanted = dict(model.named_parameters())
    spare = {key for key in where if key.endswith(IGNORED_SUFFIX)}
    if options.tied and "lm_head.weight" in where:
        spare.add("lm_head.weight")
        if not torch.equal(_read(where, "lm_head.weight"), _read(where, "model.embed_tokens.weight")):
            problems.append("lm_head.weight differs from the embedding: set tied to false")
    problems += [f"missing: {key}" for key in wanted if key not in where]
    problems += [f"unknown: {key}" for key in where if key not in wanted and key not in spare]
    problems += [p for key in wanted if key in where and (p := _misfit(key, tuple(wanted[key].shape), where[key]))]
    if problems:
        listing = "\n  ".join(problems)
        raise ValueError(f"{path} does not fit the options of llama; mend the options or the path:\n  {listing}")
    for key, parameter in wanted.items():
        tensor = _read(where, key)
        parameter[: len(tensor)] = tensor.to(parameter.dtype)
        if len(tensor) < len(parameter):
            parameter[len(tensor) :].normal_(0.0, options.initializer_range)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    index = path / "model.safetensors.index.json"
    if index.is_file():
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        lacking = [name for name in names if not (path / name).is_file()]
        if lacking:
            raise FileNotFoundError(f"{index} names files that are not there: {', '.join(lacking)}; download them")
        return [path / name for name in names]
    found = sorted(path.glob("*.safetensors"))
    if len(found) == 1:
        return found
    reason = f"holds {len(found)} safetensors files and no index" if path.is_dir() else "is not there"
    raise FileNotFoundError(
        f"weights of llama: {path} {reason}; give a safetensors file, a folder with one or with "
        "model.safetensors.index.json, or weights: none"
    )


def _keys(file: Path) -> list[str]:
    with safe_open(file, "pt") as opened:
        return list(opened.keys())


def _read(where: dict[str, Path], key: str) -> torch.Tensor:
    with safe_open(where[key], "pt") as opened:
        return opened.get_tensor(key)  # type: ignore[no-any-return]


def _misfit(key: str, ours: tuple[int, ...], file: Path) -> str | None:
    with safe_open(file, "pt") as opened:
        theirs = tuple(opened.get_slice(key).get_shape())
    if theirs == ours:
        return None
    if key in VOCABULARY_KEYS and theirs[1:] == ours[1:]:
        if theirs[0] < ours[0]:
            return None
        return (
            f"rows: {key} has {theirs[0]} rows in the file, but the text vocabulary has {ours[0]}: use the text "
            f"tokenizer that the weights were trained with, or pad the vocabulary to {theirs[0]}"
        )
    return f"shape: {key} is {theirs} in the file, {ours} in the model"


def _compare_config(folder: Path, options: LlamaOptions) -> list[str]:
    """Differences between ``config.json`` and the options; what the file leaves out is LlamaConfig's default."""
    file = folder / "config.json"
    if not file.is_file():
        return []
    config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    rope: dict[str, Any] = config.get("rope_parameters") or config.get("rope_scaling") or {}
    heads = config.get("num_attention_heads", 32)
    rows = [
        ("hidden_size", config.get("hidden_size", 4096), options.hidden_size),
        ("intermediate_size", config.get("intermediate_size", 11008), options.intermediate_size),
        ("layers", config.get("num_hidden_layers", 32), options.layers),
        ("heads", heads, options.heads),
        ("kv_heads", config.get("num_key_value_heads") or heads, options.key_value_heads),
        ("rms_norm_eps", config.get("rms_norm_eps", 1e-6), options.rms_norm_eps),
        ("rope_theta", rope.get("rope_theta", config.get("rope_theta", 10000.0)), options.rope_theta),
        ("tied", config.get("tie_word_embeddings", False), options.tied),
        ("model_type (only this one is computed)", config.get("model_type", "llama"), "llama"),
        ("hidden_act (only this one is computed)", config.get("hidden_act", "silu"), "silu"),
        ("attention_bias (only this one is computed)", config.get("attention_bias", False), False),
        ("rope_type (only this one is computed)", rope.get("rope_type", rope.get("type", "default")), "default"),
    ]
    return [f"setting: {name} is {theirs} in {file.name}, {ours} here" for name, theirs, ours in rows if theirs != ours]
