"""Tiny recipes as dicts, to be changed by a word, built and trained; imports torch only when something is built."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

TASKS = {"understanding": ("understanding",), "generation": ("generation",), "both": ("understanding", "generation")}
"""Tasks of each mode of the matrix."""


def recipe(
    mode: str = "both",
    *,
    encoder: str = "siglip",
    tokenizer: str = "vqgan",
    adapter: str = "mlp",
    steps: int = 2,
    image_size: int = 32,
    text: bool = False,
) -> dict[str, Any]:
    """One stage of `steps` steps; `mode` decides which parts there are and which samples are drawn."""
    tasks = [*TASKS[mode], *(["text"] if text else [])]
    model: dict[str, Any] = {"language_model": part("llama"), "image_size": image_size}
    if "understanding" in tasks:
        model |= {"encoders": {"image": part(encoder)}, "adapters": {"image": part(adapter)}}
    if "generation" in tasks or encoder == "tokenizer_as_encoder":
        model["generation_tokenizer"] = part(tokenizer)
    if "generation" in tasks:
        model |= {"generation_adapter": part("mlp"), "generation_head": part("categorical")}
    return {
        "name": "tiny",
        "seed": 3,
        "model": model,
        "sources": {task: scenes(task) for task in tasks},
        "stages": [stage(tasks, steps=steps, train=trainable(model))],
        "run": {"accelerator": "cpu", "threads": 1, "log_every": 1},
    }


def part(name: str) -> dict[str, Any]:
    return {"type": name, "preset": "tiny"}


def scenes(task: str, length: int = 32) -> dict[str, Any]:
    return {"type": "openmoji_scenes", "options": {"task": task, "length": length, "counts": [1]}}


def trainable(model: dict[str, Any]) -> list[str]:
    """All that may train but the understanding encoder."""
    drawn = ["generation_adapter", "generation_head", "code_table"] if "generation_head" in model else []
    return ["language_model", *(["adapters.*"] if "adapters" in model else []), *drawn]


def stage(tasks: list[str], *, steps: int, train: list[str], name: str = "one") -> dict[str, Any]:
    return {
        "name": name,
        "train": train,
        "steps": steps,
        "batch_size": 2 * len(tasks),
        "mixture": dict.fromkeys(tasks, 1),
        "data": {task: [task] for task in tasks},
        "learning_rate": 1e-3,
    }


def three_stages(values: dict[str, Any], steps: int = 2) -> dict[str, Any]:
    """The recipe with the freezing of the paper's three stages (figure 3) in place of its one stage."""
    values = copy.deepcopy(values)
    model, tasks = values["model"], list(values["stages"][0]["mixture"])
    adapters = ["adapters.*"] if "adapters" in model else []
    drawn = ["generation_adapter", "generation_head", "code_table"] if "generation_head" in model else []
    encoders = ["encoders.*"] if "encoders" in model else []
    most = ["language_model", *adapters, *drawn]
    sets = [[*adapters, *drawn], most, [*most, *encoders]]
    values["stages"] = [stage(tasks, steps=steps, train=s, name=f"stage{i}") for i, s in enumerate(sets, start=1)]
    return values


def validated(values: dict[str, Any]) -> Any:
    """The checked recipe."""
    from janus_core.config.check import check_recipe
    from janus_core.config.load import validate
    from janus_core.config.recipe import Recipe

    found = validate(Recipe, values, "tiny")
    check_recipe(found, Path("."))
    return found


def write(values: dict[str, Any], path: Path) -> Path:
    import yaml

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def load(path: Path) -> dict[str, Any]:
    """A written recipe."""
    import yaml

    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def build(values: dict[str, Any], folder: Path = Path(".")) -> Any:
    """The built model of a recipe."""
    from janus_core.model.build import build_model

    found = validated(values)
    return build_model(found.model, found.text, seed=found.seed, folder=folder)


def train(values: dict[str, Any], out: Path, **options: Any) -> Any:
    """Train and return the session."""
    from janus_core.training.runner import train as run

    options.setdefault("folder", Path("."))
    return run(validated(values), out=out, progress=False, **options)


def perturb(model: Any, seed: int = 0) -> None:
    """Change every tensor, so that no test passes because all is as it was initialised."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.randn(tensor.shape, generator=generator) * 0.05)
            else:
                tensor.add_(1)


def weights(model: Any) -> dict[str, Any]:
    """A copy of every tensor."""
    return {key: tensor.detach().clone() for key, tensor in model.state_dict().items()}


def differing(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """Names of the tensors that are not bit-equal, or are in one only."""
    import torch

    names = sorted(first.keys() | second.keys())
    return [n for n in names if n not in first or n not in second or not torch.equal(first[n], second[n])]


def picture(size: tuple[int, int] = (40, 32), seed: int = 0) -> Any:
    """A PIL image of noise."""
    import numpy as np
    from PIL import Image

    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def listing(folder: Path) -> list[str]:
    """Every file and folder below, hidden ones included."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
