"""Where the model comes from: an architecture with random weights, a folder, a GGUF file or a hub. No code is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from janus_core.interfaces import BuildContext
from janus_transformers.options import HUB, TransformersOptions

ALLOWED = "'none', a folder as save_pretrained writes it, a .gguf file, or 'hf-hub:organisation/name'"


def build_causal(options: TransformersOptions, context: BuildContext, vocabulary: int) -> Any:
    """A ``…ForCausalLM`` in fp32.

    With ``context.skip_weights`` or on the meta device the weights are not read, only the architecture.
    """
    if options.weights == "none":
        config = _architecture(options, context)
        config.vocab_size = vocabulary
        return _random(config, options)
    where = _where(options.weights, context.folder)
    if context.skip_weights or torch.get_default_device().type == "meta":
        return _random(_read(options.weights, AutoConfig, where), options)
    settings = {"dtype": torch.float32, "attn_implementation": options.attention}
    return _read(options.weights, AutoModelForCausalLM, {**where, **settings})


def _random(config: Any, options: TransformersOptions) -> Any:
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation=options.attention)


def _architecture(options: TransformersOptions, context: BuildContext) -> Any:
    if options.config is not None:
        return _read(options.config, AutoConfig, _where(options.config, context.folder))
    try:
        return AutoConfig.for_model(options.model_type, **options.settings)
    except ValueError as error:
        raise ValueError(f"model_type {options.model_type!r} with these settings: {error}") from error


def _where(name: str, folder: Path) -> dict[str, Any]:
    """The arguments of ``from_pretrained`` that name the model; `FileNotFoundError` if the path is not there."""
    if name.startswith(HUB):
        return {"pretrained_model_name_or_path": name.removeprefix(HUB)}
    path = folder / Path(name).expanduser()
    if path.suffix == ".gguf" and path.is_file():
        return {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
    if (path / "config.json").is_file():
        return {"pretrained_model_name_or_path": str(path)}
    reason = "holds no config.json" if path.is_dir() else "is not there"
    raise FileNotFoundError(f"weights {name!r}: {path} {reason}; allowed: {ALLOWED}")


def _read(name: str, reader: Any, settings: dict[str, Any]) -> Any:
    try:
        return reader.from_pretrained(**settings, trust_remote_code=False)
    except (OSError, ValueError, ImportError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise ValueError(f"weights {name!r} cannot be read by transformers: {first}; allowed: {ALLOWED}") from error
