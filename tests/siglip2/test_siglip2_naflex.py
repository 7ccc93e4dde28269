"""SigLIP 2 NaFlex: shapes kept, masks, and features equal to transformers' Siglip2VisionModel."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from janus_core.interfaces import BuildContext
from janus_open_clip.weights import WeightsError
from janus_siglip2.model import build, build_transform, load_weights
from janus_siglip2.options import WIDTHS, Siglip2Options
from janus_siglip2.plugin import janus_understanding_encoders
from janus_siglip2.transform import fitted

(SPEC,) = janus_understanding_encoders()
SHAPES = [(64, 64), (40, 90), (300, 20), (17, 1000), (1, 1), (1000, 1000)]


def options_of(**changes: object) -> Siglip2Options:
    return Siglip2Options(**{**SPEC.presets["tiny"], **changes})


def encoder_of(folder: Path = Path("."), **changes: object) -> Any:
    torch.manual_seed(0)
    encoder = build(options_of(**changes), BuildContext(folder=folder)).eval()
    if "weights" not in changes:
        with torch.no_grad():
            for parameter in encoder.parameters():
                parameter.copy_(torch.randn_like(parameter) * 0.2 + (parameter.dim() == 1) * 0.5)
    return encoder


@pytest.mark.parametrize("most", [1, 16, 256, 1024])
def test_sizes_are_transformers_and_timms(most: int) -> None:
    from timm.data.naflex_transforms import get_image_size_for_seq
    from transformers.models.siglip2.image_processing_pil_siglip2 import get_image_size_for_max_num_patches

    for height, width in [*SHAPES, (480, 640), (337, 512)]:
        rows, columns = fitted(height, width, 16, most)
        assert 1 <= rows * columns <= most
        theirs = get_image_size_for_max_num_patches(height, width, 16, most)
        if theirs[0] * theirs[1] <= most * 256:  # else theirs breaks its own promise
            assert (rows * 16, columns * 16) == theirs
            assert get_image_size_for_seq((height, width), 16, most)[1] == theirs


def test_pixels_are_transformers() -> None:
    from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

    picture = Image.effect_noise((90, 40), 80).convert("RGB")
    mine = build_transform(Siglip2Options(weights="none"), BuildContext())(picture)
    theirs = Siglip2ImageProcessorPil(max_num_patches=256)(picture, return_tensors="pt")
    count = int(theirs["pixel_attention_mask"].sum())
    assert mine.num_tokens == count
    torch.testing.assert_close(mine.inputs["patches"], theirs["pixel_values"][0, :count].float(), atol=1e-5, rtol=0)


@torch.no_grad()
def test_tokens_are_timms_of_the_whole_picture() -> None:
    """timm cuts pixels into patches by itself where it is given no places."""
    encoder, transform = encoder_of(), build_transform(options_of(), BuildContext())
    prepared = transform(Image.effect_noise((64, 64), 80).convert("RGB"))
    pixels = prepared.inputs["patches"].view(4, 4, 16, 16, 3).permute(4, 0, 2, 1, 3).reshape(1, 3, 64, 64)
    tokens = encoder(transform.collate([prepared])).tokens
    torch.testing.assert_close(tokens, encoder.trunk.forward_features(pixels), atol=1e-5, rtol=1e-5)


def test_features_are_transformers_own() -> None:
    from transformers import Siglip2VisionConfig, Siglip2VisionModel

    encoder = encoder_of()
    config = Siglip2VisionConfig(
        hidden_size=32, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2, patch_size=16, num_patches=16
    )
    theirs = Siglip2VisionModel(config).eval()
    trunk = encoder.trunk.state_dict()
    weight = trunk["embeds.proj.weight"]  # linear, on patches with channels last
    state: dict[str, torch.Tensor] = {
        "embeddings.patch_embedding.weight": weight.reshape(32, -1),
        "embeddings.patch_embedding.bias": trunk["embeds.proj.bias"],
        "embeddings.position_embedding.weight": trunk["embeds.pos_embed"].reshape(16, 32),
    }
    for part in ("weight", "bias"):
        state[f"post_layernorm.{part}"] = trunk[f"norm.{part}"]
        for block in range(2):
            mine, other = f"blocks.{block}", f"encoder.layers.{block}"
            for letter, third in zip("qkv", trunk[f"{mine}.attn.qkv.{part}"].chunk(3), strict=True):
                state[f"{other}.self_attn.{letter}_proj.{part}"] = third
            for a, b in (
                ("attn.proj", "self_attn.out_proj"),
                ("norm1", "layer_norm1"),
                ("norm2", "layer_norm2"),
                ("mlp.fc1", "mlp.fc1"),
                ("mlp.fc2", "mlp.fc2"),
            ):
                state[f"{other}.{b}.{part}"] = trunk[f"{mine}.{a}.{part}"]
    prefix = "vision_model." if any(key.startswith("vision_model.") for key in theirs.state_dict()) else ""
    found = theirs.load_state_dict({prefix + key: value for key, value in state.items()}, strict=False)
    assert not found.unexpected_keys and all("head" in key for key in found.missing_keys)
    transform = build_transform(options_of(), BuildContext())
    prepared = [transform(Image.effect_noise(size, 80).convert("RGB")) for size in ((64, 64), (90, 40), (20, 100))]
    batch = transform.collate(prepared)
    shapes = torch.stack([item.inputs["places"].amax(0) + 1 for item in prepared])
    with torch.no_grad():
        features = encoder(batch)
        expected = theirs(
            pixel_values=batch["patches"], pixel_attention_mask=batch["real"].int(), spatial_shapes=shapes
        ).last_hidden_state
    assert torch.equal(features.mask, batch["real"])
    for row, item in enumerate(prepared):
        torch.testing.assert_close(
            features.tokens[row, : item.num_tokens], expected[row, : item.num_tokens], atol=1e-3, rtol=1e-3
        )


@torch.no_grad()
def test_a_picture_does_not_depend_on_its_batch() -> None:
    encoder, transform = encoder_of(), build_transform(options_of(), BuildContext())
    prepared = [transform(Image.effect_noise(size, 80).convert("RGB")) for size in SHAPES]
    together = encoder(transform.collate(prepared))
    for row, item in enumerate(prepared):
        alone = encoder(transform.collate([item]))
        assert int(together.mask[row].sum()) == item.num_tokens == alone.tokens.shape[1]
        torch.testing.assert_close(together.tokens[row, : item.num_tokens], alone.tokens[0], atol=1e-4, rtol=1e-4)


def test_weights(tmp_path: Path) -> None:
    first = encoder_of()
    state = first.trunk.state_dict()
    save_file(state, tmp_path / "w.safetensors")
    second = encoder_of(tmp_path, weights="w.safetensors")
    assert all(torch.equal(state[key], value) for key, value in second.trunk.state_dict().items())
    state.pop("norm.weight")
    save_file(state, tmp_path / "bad.safetensors")
    for weights, told in (("bad.safetensors", "norm.weight"), ("absent", "absent")):
        with pytest.raises(WeightsError, match=told):
            encoder_of(tmp_path, weights=weights)


def test_a_folder_and_a_hub_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = encoder_of().trunk.state_dict()
    save_file(state, tmp_path / "model.safetensors")

    def fake(repo_id: str, filename: str, **_: object) -> str:
        if repo_id != "someone/tower" or filename != "model.safetensors":
            raise FileNotFoundError(f"no {repo_id}")
        return str(tmp_path / filename)

    monkeypatch.setattr("open_clip.pretrained.hf_hub_download", fake)
    for weights in ("local-dir:.", "hf-hub:someone/tower"):
        second = encoder_of(tmp_path, weights=weights)
        assert all(torch.equal(state[key], value) for key, value in second.trunk.state_dict().items())
    options = Siglip2Options(weights="tag")
    with pytest.raises(WeightsError, match="no timm/naflexvit_so400m_patch16_siglip.v2_webli"):
        load_weights(torch.nn.Module(), options, tmp_path)


@pytest.mark.parametrize(("name", "last"), [("patches", 7), ("places", 3)])
def test_shapes_that_do_not_fit_are_refused(name: str, last: int) -> None:
    transform = build_transform(options_of(), BuildContext())
    batch = transform.collate([transform(Image.new("RGB", (40, 40), "red"))])
    for wrong in (batch[name][0], batch[name][:, :-1], batch[name].new_zeros(*batch[name].shape[:2], last)):
        with pytest.raises(ValueError, match="expected patches"):
            encoder_of()({**batch, name: wrong})


@pytest.mark.parametrize("model", list(WIDTHS))
def test_facts_are_timms(model: str) -> None:
    config = timm.get_pretrained_cfg(f"{model}.v2_webli")
    assert config is not None
    assert (tuple(config.mean), tuple(config.std)) == ((0.5,) * 3, (0.5,) * 3)
    assert config.hf_hub_id == f"timm/{model}.v2_webli"
    with torch.device("meta"):
        encoder = build(Siglip2Options(model=model, weights="none"), BuildContext())
        published = timm.create_model(f"{model}.v2_webli", pretrained=False).state_dict()
    assert encoder.width == WIDTHS[model]
    shapes = {key: value.shape for key, value in encoder.trunk.state_dict().items()}
    assert shapes == {key: value.shape for key, value in published.items()}
    assert shapes["embeds.pos_embed"] == (1, 16, 16, WIDTHS[model])


def test_pictures_of_several_shapes_train_together(tiny: ModuleType, tmp_path: Path) -> None:
    from janus_core.checkpoints.own import load_checkpoint
    from janus_core.inference.session import Session

    lines = []
    for index, size in enumerate(((64, 64), (90, 30), (30, 90), (20, 200))):
        Image.effect_noise(size, 80).convert("RGB").save(tmp_path / f"{index}.png")
        lines.append(json.dumps({"image": f"{index}.png", "caption": "x" * (index + 1)}))
    (tmp_path / "captions.jsonl").write_text("\n".join(lines))
    values = tiny.recipe("understanding", encoder="siglip2", steps=2)
    values["sources"]["understanding"] = {
        "type": "image_captions",
        "options": {"path": "captions.jsonl", "task": "understanding"},
    }
    values["stages"][0] |= {"train": ["*"], "batch_size": 4}
    trained = tiny.train(values, tmp_path / "out", folder=tmp_path)
    loaded = Session(load_checkpoint(tmp_path / "out")[0])
    transform = trained.built.assembler.routes["image"].transform
    counts = set()
    for index in range(4):
        picture = Image.open(tmp_path / f"{index}.png")
        counts.add(transform(picture).num_tokens)
        assert trained.ask(picture, "what?", max_new_tokens=3) == loaded.ask(picture, "what?", max_new_tokens=3)
    assert counts == {10, 12, 16}
