"""Where the model comes from: an architecture with random weights, a folder, a GGUF file or a hub. No code is run."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from janus_core.interfaces import BuildContext
from janus_core.package_files import locate
from janus_transformers.options import HUB, TransformersOptions

ALLOWED = (
    "'none', a folder as save_pretrained writes it, a .gguf file, either also as 'package:NAME/FILE', or "
    "'hf-hub:organisation/name'"
)
GGUF = ".gguf"


def build_causal(options: TransformersOptions, context: BuildContext, vocabulary: int) -> Any:
    """A ``…ForCausalLM`` in fp32.

    With ``context.skip_weights`` or on the meta device the weights are not read, only the architecture.

    Raises:
        ValueError: transformers cannot read or build it.
        FileNotFoundError: no model at the path.
        UserError: a package that is not installed.
    """
    attention = options.attention
    if options.weights == "none":
        config = _architecture(options, context)
        config.vocab_size = vocabulary
        return _read(str(options.model_type or options.config), _random, {"config": config, "attention": attention})
    reads_no_weights = context.skip_weights or torch.get_default_device().type == "meta"
    if reads_no_weights and options.architecture is not None:
        config = _read(options.weights, AutoConfig.for_model, options.architecture)
        config.get_text_config().vocab_size = vocabulary
        return _read(options.weights, _random, {"config": config, "attention": attention})
    where = _where("weights", options.weights, context.folder)
    if reads_no_weights:
        config = _read(options.weights, AutoConfig.from_pretrained, where)
        return _read(options.weights, _random, {"config": config, "attention": attention})
    settings = {"dtype": torch.float32, "attn_implementation": attention}
    return _read(options.weights, AutoModelForCausalLM.from_pretrained, {**where, **settings})


def _random(config: Any, attention: str) -> Any:
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation=attention)


def _architecture(options: TransformersOptions, context: BuildContext) -> Any:
    if options.config is not None:
        return _read(options.config, AutoConfig.from_pretrained, _where("config", options.config, context.folder))
    return _read(str(options.model_type), AutoConfig.for_model, {"model_type": options.model_type, **options.settings})


def _where(option: str, name: str, folder: Path) -> dict[str, Any]:
    """The arguments of ``from_pretrained`` that name the model; `FileNotFoundError` if the path is not there."""
    if name.startswith(HUB):
        return {"pretrained_model_name_or_path": name.removeprefix(HUB), "trust_remote_code": False}
    path = locate(folder, name)
    if path.suffix == GGUF and path.is_file():
        if missing := [library for library in ("gguf", "accelerate") if importlib.util.find_spec(library) is None]:
            raise ValueError(f"{option} {name!r}: a GGUF file needs more libraries: pip install {' '.join(missing)}")
        return {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
    if (path / "config.json").is_file():
        return {"pretrained_model_name_or_path": str(path), "trust_remote_code": False}
    reason = "holds no config.json" if path.is_dir() else "is not there"
    hint = f"for the hub write {HUB}{name}; " if re.fullmatch(r"[\w.-]+/[\w.-]+", name) and path.suffix != GGUF else ""
    raise FileNotFoundError(f"{option} {name!r}: {path} {reason}; {hint}allowed: {ALLOWED}")


def _read(name: str, reader: Any, settings: dict[str, Any]) -> Any:
    try:
        return reader(**settings)
    except Exception as error:
        # Which errors a damaged file or a wrong setting raises is the libraries' affair: any of them is the user's.
        said = str(error)
        first = (said.strip().splitlines() or [type(error).__name__])[0][:300]
        if "scaled_dot_product_attention" in said:
            raise ValueError(f"{name!r}: this architecture has no attention 'sdpa': set attention: eager") from error
        raise ValueError(f"{name!r} cannot be read by transformers: {first}; allowed: {ALLOWED}") from error
