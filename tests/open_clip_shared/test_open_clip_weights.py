"""Weights load from every route under every usual name, and what does not fit is one complete error."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from janus_core.interfaces import BuildContext
from janus_eva_clip.model import build as build_eva
from janus_eva_clip.options import EvaClipOptions
from janus_open_clip import weights as weights_module
from janus_open_clip.weights import WeightsError
from janus_siglip.model import SigLIPEncoder, build, build_transform
from janus_siglip.options import SigLIPOptions

torch.set_num_threads(1)
SIZES = {"image_size": 64, "patch_size": 16, "width": 32, "depth": 2, "heads": 2}


def tiny(folder: Path, weights: str, **sizes: Any) -> SigLIPEncoder:
    return build(SigLIPOptions(custom={**SIZES, **sizes}, weights=weights), BuildContext(folder=folder))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    """New weights for the tiny model, under timm's names."""
    torch.manual_seed(5)
    trunk = tiny(Path("."), "none").trunk
    return {key: torch.randn_like(value) for key, value in trunk.state_dict().items()}


@pytest.mark.parametrize("prefix", ["visual.trunk.", "visual.", "trunk.", "vision_model.vision_tower.", ""])
@pytest.mark.parametrize("ending", ["safetensors", "pt", "bin"])
def test_every_prefix_and_format_loads(tmp_path: Path, tensors: dict[str, Tensor], prefix: str, ending: str) -> None:
    named = {prefix + key: value for key, value in tensors.items()}
    if prefix.startswith("vis"):
        named |= {"text.weight": torch.ones(3), "logit_scale": torch.ones(1)}
    path = tmp_path / f"weights.{ending}"
    if ending == "safetensors":
        save_file(named, path)
    elif ending == "pt":
        torch.save({"epoch": 3, "state_dict": {"module." + k: v for k, v in named.items()}}, path)
    else:
        torch.save(named, path)
    loaded = tiny(tmp_path, path.name).trunk.state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in tensors.items())


def test_a_folder_saved_by_open_clip_loads_if_its_preprocessing_is_the_tags(
    tmp_path: Path, tensors: dict[str, Tensor]
) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    torch.save({"visual.trunk." + k: v for k, v in tensors.items()}, folder / "open_clip_pytorch_model.bin")
    stated = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"}
    (folder / "open_clip_config.json").write_text(json.dumps({"preprocess_cfg": stated}))
    assert torch.equal(tiny(tmp_path, "local-dir:saved").trunk.pos_embed, tensors["pos_embed"])
    stated["mean"] = [0.48145466, 0.4578275, 0.40821073]
    (folder / "open_clip_config.json").write_text(json.dumps({"preprocess_cfg": stated}))
    with pytest.raises(WeightsError, match=r"another preprocessing.*mean \[0.48145466"):
        tiny(tmp_path, "local-dir:saved")


def test_half_precision_weights_of_janus_pretrain_load_from_their_folder(tmp_path: Path) -> None:
    encoder = tiny(tmp_path, "none")
    save_file({key: value.half() for key, value in encoder.state_dict().items()}, tmp_path / "weights.safetensors")
    for weights in ("weights.safetensors", f"local-dir:{tmp_path}"):
        loaded = tiny(tmp_path, weights).trunk.pos_embed
        assert loaded.dtype == torch.float32
        assert torch.equal(loaded, encoder.trunk.pos_embed.half().float())


def test_none_is_random_and_skip_weights_reads_nothing(tmp_path: Path) -> None:
    torch.manual_seed(0)
    first = tiny(tmp_path, "none")
    torch.manual_seed(0)
    again = tiny(tmp_path, "none")
    assert torch.equal(first.trunk.blocks[1].mlp.fc1.weight, again.trunk.blocks[1].mlp.fc1.weight)
    assert not torch.equal(first.trunk.blocks[1].mlp.fc1.weight, tiny(tmp_path, "none").trunk.blocks[1].mlp.fc1.weight)
    options = SigLIPOptions(custom=SIZES, weights="absent.pt")  # type: ignore[arg-type]
    build(options, BuildContext(folder=tmp_path, skip_weights=True))


@pytest.mark.parametrize("weights", ["none", "tag", "some/file.safetensors", "local-dir:x", "hf-hub:timm/ViT"])
def test_the_weights_never_change_the_preprocessing(weights: str) -> None:
    transform = build_transform(SigLIPOptions(weights=weights), BuildContext())
    assert (transform.mean, transform.std) == ((0.5,) * 3, (0.5,) * 3)
    assert (transform.size, transform.resize, transform.num_tokens) == (384, "squash", 576)


def test_weights_must_be_written_out() -> None:
    with pytest.raises(ValueError, match="weights"):
        SigLIPOptions()  # type: ignore[call-arg]


def test_another_size_is_one_error_that_names_both(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    save_file({"visual.trunk." + key: value for key, value in tensors.items()}, tmp_path / "tiny.safetensors")
    with pytest.raises(WeightsError) as caught:
        tiny(tmp_path, "tiny.safetensors", width=48, depth=3)
    error, text = caught.value, str(caught.value)
    assert "the file:  SigLIP tower, width 32, 2 blocks, patch 16, 16 positions" in text
    assert "the model: SigLIP tower, width 48, 3 blocks, patch 16, 16 positions" in text
    assert "blocks.2.norm1.weight" in error.missing
    assert error.misshapen["pos_embed"] == ((1, 16, 32), (1, 16, 48))
    assert not error.unexpected
    with pytest.raises(WeightsError) as caught:
        tiny(tmp_path, "tiny.safetensors", depth=1)
    assert len(caught.value.unexpected) == 12


def test_another_family_is_one_error_that_names_both(tmp_path: Path) -> None:
    eva = build_eva(EvaClipOptions(custom=SIZES, weights="none"), BuildContext())  # type: ignore[arg-type]
    save_file(eva.state_dict(), tmp_path / "eva.safetensors")
    with pytest.raises(WeightsError, match="(?s)EVA-CLIP tower, width 32.*SigLIP tower, width 32") as caught:
        tiny(tmp_path, "eva.safetensors")
    assert "cls_token" in caught.value.unexpected
    assert "attn_pool.latent" in caught.value.missing
    assert len(str(caught.value)) < 3000
    save_file({"language.weight": torch.ones(2)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="no vision tower"):
        tiny(tmp_path, "other.safetensors")


def test_published_sizes_are_recognised() -> None:
    with torch.device("meta"):
        encoder = build(SigLIPOptions(weights="none"), BuildContext())
    assert "as ViT-L-16-SigLIP-384 or ViT-L-16-SigLIP2-384" in weights_module.describe(encoder.trunk.state_dict())


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("code ran",))


def test_code_in_a_pickle_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"state_dict": Bomb()}, tmp_path / "bomb.pt")
    (tmp_path / "plain.bin").write_bytes(pickle.dumps({"a": Bomb()}))
    for name in ("bomb.pt", "plain.bin"):
        with pytest.raises(WeightsError, match="safetensors"):
            tiny(tmp_path, name)
    assert "code ran" not in capsys.readouterr().out


def test_unreadable_files_are_clear_errors(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    save_file(tensors, tmp_path / "whole.safetensors")
    whole = (tmp_path / "whole.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.safetensors").write_bytes(b"")
    (tmp_path / "pointer.pt").write_text("version https://git-lfs.github.com/spec/v1\n")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save(tensors, tmp_path / "good.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "good.pt").read_bytes()[:5000])
    expected = {
        "cut.safetensors": "cut short",
        "empty.safetensors": "0 bytes",
        "pointer.pt": "get it anew",
        "cut.pt": "cut short",
        "list.pt": "no table of tensors but list",
        "absent.safetensors": "does not exist.*'none' for random",
        "local-dir:nowhere": "is not a folder",
        f"local-dir:{tmp_path}": "holds none of them",
        "notes.txt": "does not exist",
    }
    for name, message in expected.items():
        with pytest.raises(WeightsError, match=f"(?s){message}"):
            tiny(tmp_path, name)
    (tmp_path / "folder").mkdir()
    with pytest.raises(WeightsError, match="write 'local-dir:'"):
        tiny(tmp_path, "folder")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(WeightsError, match="cannot read .txt"):
        tiny(tmp_path, "notes.txt")


def test_hub_routes_ask_for_the_right_thing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def fake(source: Any, filename: str | None = None) -> str:
        asked.append((source["hf_hub"] if isinstance(source, dict) else source, filename))
        raise FileNotFoundError("no network")

    monkeypatch.setattr(weights_module, "download_pretrained", fake)
    monkeypatch.setattr(weights_module, "download_pretrained_from_hf", fake)
    with pytest.raises(WeightsError, match=r"ViT-L-16-SigLIP-384:webli: no network.*'none'"):
        weights_module.load_weights(torch.nn.Module(), SigLIPOptions(weights="tag"), tmp_path)
    with pytest.raises(WeightsError, match="some/model"):
        weights_module.load_weights(torch.nn.Module(), SigLIPOptions(weights="hf-hub:some/model"), tmp_path)
    assert asked == [
        ("timm/ViT-L-16-SigLIP-384/", None),
        ("some/model", None),
        ("some/model", "model.safetensors"),
    ]
