"""Weights: every container and wrapper, strict errors that list all, damaged and unsafe files."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from janus_conv_vq.weights import WeightsError, load_weights
from janus_core.hookspecs import Layout, Rename
from janus_core.interfaces import BuildContext

LAYOUTS = {
    "own": Layout(ignored=("loss", "ema_"), prefixes=("state_dict.",)),
    "other": Layout(rules=(Rename("0", "a"),)),
}


def model() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def load(folder: Path, weights: str, layout: str = "auto", *, skip: bool = False) -> nn.Module:
    made = model()
    load_weights(made, weights, layout, LAYOUTS, BuildContext(folder=folder, skip_weights=skip))
    return made


def equal(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, b.state_dict()[k]) for k, x in a.state_dict().items())


WRITERS: dict[str, Callable[[dict[str, Any], Path], None]] = {
    "w.safetensors": save_file,
    "w.pt": torch.save,
    "w.bin": lambda state, path: torch.save({"model": state, "optimizer": {"lr": 1.0}}, path),
    "w.ckpt": lambda state, path: torch.save(
        {"state_dict": {**state, "loss.d.weight": torch.zeros(1), "ema_0.w": torch.zeros(1)}, "epoch": 3}, path
    ),
    "old.pt": lambda state, path: torch.save(state, path, _use_new_zipfile_serialization=False),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_container(name: str, tmp_path: Path) -> None:
    source = model()
    WRITERS[name](source.state_dict(), tmp_path / name)
    assert equal(source, load(tmp_path, name))
    assert not equal(source, load(tmp_path, name, skip=True))
    assert not equal(source, load(tmp_path, "none"))


def test_another_layout_is_found_or_named(tmp_path: Path) -> None:
    source = model()
    save_file({k.replace("0.", "a."): v for k, v in source.state_dict().items()}, tmp_path / "w.safetensors")
    assert equal(source, load(tmp_path, "w.safetensors"))
    assert equal(source, load(tmp_path, "w.safetensors", "other"))
    with pytest.raises(WeightsError, match="own"):
        load(tmp_path, "w.safetensors", "own")


def test_one_error_lists_all_faults(tmp_path: Path) -> None:
    state = dict(model().state_dict())
    del state["0.bias"]
    state["stranger.weight"] = torch.zeros(1)
    state["1.weight"] = torch.zeros(5)
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(WeightsError) as caught:
        load(tmp_path, "w.pt")
    text = str(caught.value)
    assert all(part in text for part in ("w.pt", "0.bias", "stranger.weight", "1.weight", "[5]", "[4]"))


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt", "old.pt"])
@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.98])
def test_truncated_files(name: str, kept: float, tmp_path: Path) -> None:
    path = tmp_path / name
    WRITERS[name](model().state_dict(), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if kept < 1 else int(kept)])
    with pytest.raises(WeightsError, match="cut short"):
        load(tmp_path, name)


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch executed",)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_is_refused_and_not_run(zipped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": model().state_dict(), "x": Evil()}, "w.ckpt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match="safetensors"):
        load(tmp_path, "w.ckpt")
    assert not Path("executed").exists()


def test_objects_of_training_libraries_are_read_as_nothing(tmp_path: Path) -> None:
    from lightning.pytorch.callbacks import ModelCheckpoint

    source = model()
    callbacks = {ModelCheckpoint: {"best": np.float64(1.0)}}  # as old Lightning wrote them
    torch.save({"state_dict": source.state_dict(), "callbacks": callbacks}, tmp_path / "w.ckpt")
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "w.ckpt", weights_only=True)
    assert equal(source, load(tmp_path, "w.ckpt"))


@pytest.mark.parametrize("content", [[1, 2], {}, {"state_dict": {"a": 1}}, torch.zeros(3)])
def test_files_without_named_tensors(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match="no tensors"):
        load(tmp_path, "w.pt")


def test_absent_file_and_bad_hub_name(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"absent\.pt"):
        load(tmp_path, "absent.pt")
    with pytest.raises(WeightsError, match="organisation"):
        load(tmp_path, "hf-hub:org/file")


def test_the_hub_is_asked_and_its_failure_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    source = model()
    torch.save(source.state_dict(), tmp_path / "cached.pt")
    asked = []

    def fetch(repository: str, file: str) -> str:
        asked.append((repository, file))
        return str(tmp_path / "cached.pt")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetch)
    assert equal(source, load(tmp_path, "hf-hub:org/name/sub/file.pt"))
    assert asked == [("org/name", "sub/file.pt")]

    def fail(repository: str, file: str) -> str:
        raise OSError("no route")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    with pytest.raises(WeightsError, match="by hand"):
        load(tmp_path, "hf-hub:org/name/file.pt")
