"""Tiny published checkpoints of several shapes, in both formats, and the same imported."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

NAME = "janus_tests_published"
spec = importlib.util.spec_from_file_location(NAME, Path(__file__).with_name("published.py"))
assert spec is not None
assert spec.loader is not None
published_module = importlib.util.module_from_spec(spec)
sys.modules[NAME] = published_module
spec.loader.exec_module(published_module)
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def published() -> ModuleType:
    """The helper module."""
    return published_module


@dataclass(frozen=True)
class Tiny:
    """A reference model and its checkpoints: ``huggingface`` and ``deepseek`` as published, ``ours`` by format."""

    name: str
    shape: Any
    reference: Any
    deepseek_state: dict[str, Any]
    huggingface: Path
    deepseek: Path
    ours: dict[str, Path]


@pytest.fixture(scope="session", params=list(published_module.SHAPES))
def tiny_janus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return make(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="session")
def small_janus(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """The cheapest of them, where one shape is enough."""
    return make("small_vq", tmp_path_factory.mktemp("small"))


def make(name: str, folder: Path) -> Tiny:
    from janus_core.checkpoints.janus.read import import_checkpoint

    shape = published_module.SHAPES[name]
    model = published_module.reference(shape)
    state = {key: tensor.detach().clone() for key, tensor in model.state_dict().items()}
    deepseek = published_module.deepseek_state(state, published_module.carried(shape))
    tiny = Tiny(
        name,
        shape,
        model,
        deepseek,
        published_module.write_huggingface(folder / "huggingface", model, shape),
        published_module.write_deepseek(folder / "deepseek", deepseek, shape),
        {form: folder / f"ours-{form}" for form in ("huggingface", "deepseek")},
    )
    for form, out in tiny.ours.items():
        import_checkpoint(getattr(tiny, form), out)
    return tiny


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands try out how many threads are faster, which takes longer than a tiny model."""
    monkeypatch.setattr("janus_core.training.threads._faster", lambda: 1)
