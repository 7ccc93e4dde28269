"""clip, dinov2 and dinov3: facts against timm, features against timm's and transformers', weights and sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from open_clip.pretrained import get_pretrained_cfg
from PIL import Image
from pydantic import ValidationError
from safetensors.torch import save_file

from janus_core.hookspecs import Rename
from janus_core.interfaces import BuildContext
from janus_open_clip import weights as weights_module
from janus_open_clip.facts import Preprocessing
from janus_open_clip.weights import WeightsError
from janus_timm_towers.facts import TAGS, TOWERS
from janus_timm_towers.model import build, build_transform, load_weights
from janus_timm_towers.options import ClipOptions, Dinov2Options, Dinov3Options, TimmOptions
from janus_timm_towers.plugin import janus_understanding_encoders

SPECS = {spec.name: spec for spec in janus_understanding_encoders()}
OPTIONS: dict[str, type[TimmOptions]] = {"clip": ClipOptions, "dinov2": Dinov2Options, "dinov3": Dinov3Options}
LICENCES = {
    "clip": {"apache-2.0", "mit", "apple-ascl"},
    "dinov2": {"apache-2.0"},
    "dinov3": {"dinov3-license"},
}
NAMES = pytest.mark.parametrize("name", list(OPTIONS))


def options_of(name: str, **changes: object) -> TimmOptions:
    return OPTIONS[name](**{**SPECS[name].presets["tiny"], **changes})


def tower(name: str, folder: Path = Path("."), **changes: object) -> Any:
    torch.manual_seed(0)
    encoder = build(options_of(name, **changes), BuildContext(folder=folder)).eval()
    if changes.get("weights", "none") == "none":
        with torch.no_grad():  # zero prefix tokens, scales of 1e-5 and unit norms would hide mistakes
            for parameter in encoder.parameters():
                parameter.copy_(torch.randn_like(parameter) * 0.2 + (parameter.dim() == 1) * 0.5)
    return encoder


@pytest.mark.parametrize("pair", list(TAGS), ids=".".join)
def test_facts_are_timms(pair: tuple[str, str]) -> None:
    config = timm.get_pretrained_cfg(".".join(pair))
    assert config is not None
    facts, sizes = TAGS[pair], TOWERS[pair[0]]
    assert (tuple(config.mean), tuple(config.std), config.interpolation) == (facts.mean, facts.std, facts.interpolation)
    assert config.license in LICENCES[sizes.kind]
    assert config.input_size == (3, sizes.image_size, sizes.image_size)
    assert not any("QuickGELU" in str(note) for note in config.notes or ()) or "quickgelu" in pair[0]


@pytest.mark.parametrize(
    ("pair", "theirs"),
    [
        (("vit_large_patch14_clip_quickgelu_336", "openai"), ("ViT-L-14-336-quickgelu", "openai")),
        (("vit_large_patch14_clip_224", "laion2b"), ("ViT-L-14", "laion2b_s32b_b82k")),
        (("vit_huge_patch14_clip_224", "laion2b"), ("ViT-H-14", "laion2b_s32b_b79k")),
        (("vit_huge_patch14_clip_quickgelu_378", "dfn5b"), ("ViT-H-14-378-quickgelu", "dfn5b")),
    ],
)
def test_the_preprocessing_of_clip_is_open_clips(pair: tuple[str, str], theirs: tuple[str, str]) -> None:
    config = get_pretrained_cfg(*theirs)
    found = Preprocessing(
        tuple(config["mean"]), tuple(config["std"]), config["interpolation"], config.get("resize_mode", "shortest")
    )
    assert TAGS[pair] == found


@pytest.mark.parametrize("pair", list(TAGS), ids=".".join)
def test_the_tag_asks_for_timms_repository(
    pair: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def fake(repository: str, filename: str) -> str:
        asked.extend((repository, filename))
        raise FileNotFoundError("no network")

    monkeypatch.setattr(weights_module, "download_pretrained_from_hf", fake)
    options = OPTIONS[TOWERS[pair[0]].kind](model=pair[0], tag=pair[1], weights="tag")
    with pytest.raises(WeightsError, match=rf"{'.'.join(pair)}: no network.*'none'"):
        load_weights(torch.nn.Module(), options, tmp_path)
    config = timm.get_pretrained_cfg(".".join(pair))
    assert config is not None
    assert asked == [config.hf_hub_id, config.hf_hub_filename or "model.safetensors"]


@pytest.mark.parametrize("model", list(TOWERS))
def test_sizes_are_timms(model: str) -> None:
    """Built on the meta device; build() compares the sizes itself. Names and shapes are those of timm's own model."""
    kind = TOWERS[model].kind
    tag = next(t for m, t in TAGS if m == model)
    with torch.device("meta"):
        encoder = build(OPTIONS[kind](model=model, tag=tag, weights="none"), BuildContext())
        published = timm.create_model(f"{model}.{tag}", pretrained=False).state_dict()
    shapes = {key: value.shape for key, value in published.items() if not key.startswith("head.")}
    assert {key: value.shape for key, value in encoder.trunk.state_dict().items()} == shapes
    grid = TOWERS[model].image_size // TOWERS[model].patch_size
    assert (encoder.width, encoder.num_tokens) == (TOWERS[model].width, grid * grid)


@NAMES
def test_patch_tokens_are_timms_without_prefix(name: str) -> None:
    encoder = tower(name)
    pixels = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        whole = encoder.trunk.forward_features(pixels)
        tokens = encoder(pixels).tokens
    prefix = {"clip": 1, "dinov2": 5, "dinov3": 5}[name]
    assert whole.shape == (2, prefix + 16, 32)
    assert torch.equal(tokens, whole[:, prefix:])
    prepared = build_transform(options_of(name), BuildContext())(Image.new("RGB", (50, 70), "red"))
    assert prepared.num_tokens == tokens.shape[1] == encoder.num_tokens == 16


@NAMES
@pytest.mark.parametrize("norm", [True, False])
def test_another_layer(name: str, norm: bool) -> None:
    encoder = tower(name, layer=-2, norm=norm)
    pixels = torch.randn(2, 3, 64, 64)
    seen: list[torch.Tensor] = []
    encoder.trunk.blocks[0].register_forward_hook(lambda *given: seen.append(given[-1]))
    with torch.no_grad():
        tokens = encoder(pixels).tokens
        expected = seen[0][:, encoder.trunk.num_prefix_tokens :]
        torch.testing.assert_close(tokens, encoder.trunk.norm(expected) if norm else expected)
    assert len(seen) == 1


@NAMES
def test_weights_and_another_input_size(name: str, tmp_path: Path) -> None:
    first = tower(name)
    save_file(first.trunk.state_dict() | {"head.weight": torch.zeros(3, 32)}, tmp_path / "model.safetensors")
    for weights in ("model.safetensors", "local-dir:."):
        second = tower(name, tmp_path, weights=weights)
        pixels = torch.randn(1, 3, 64, 64)
        assert torch.equal(first(pixels).tokens, second(pixels).tokens)
    larger = tower(name, tmp_path, weights="model.safetensors", image_size=96)
    pixels = torch.randn(1, 3, 96, 96)
    assert larger(pixels).tokens.shape == (1, 36, 32)
    if name == "dinov3":  # no position embedding to interpolate
        assert not any("pos_embed" in key for key in larger.state_dict())
    else:
        from timm.layers import resample_abs_pos_embed

        prefix = 1 if name == "clip" else 0
        expected = resample_abs_pos_embed(first.trunk.pos_embed, [6, 6], num_prefix_tokens=prefix)
        torch.testing.assert_close(larger.trunk.pos_embed, expected)
    assert build_transform(options_of(name, image_size=96), BuildContext()).num_tokens == 36


def openai(trunk: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The names of OpenAI's and open_clip's files, with a text tower."""
    names = (
        ("patch_embed.proj", "conv1"),
        ("norm_pre", "ln_pre"),
        ("blocks.", "transformer.resblocks."),
        (".norm", ".ln_"),
        ("attn.qkv.", "attn.in_proj_"),
        ("attn.proj", "attn.out_proj"),
        ("mlp.fc1", "mlp.c_fc"),
        ("mlp.fc2", "mlp.c_proj"),
    )
    state = {"token_embedding.weight": torch.zeros(5, 8), "logit_scale": torch.zeros(())}
    state |= {"positional_embedding": torch.zeros(77, 8), "visual.proj": torch.zeros(32, 8)}
    for key, value in trunk.items():
        for ours, theirs in names:
            key = key.replace(ours, theirs)
        key = "ln_post" + key.removeprefix("norm") if key.startswith("norm") else key
        key = {"cls_token": "class_embedding", "pos_embed": "positional_embedding"}.get(key, key)
        state[f"visual.{key}"] = value.reshape(value.shape[-2:]) if key == "positional_embedding" else value
    state["visual.class_embedding"] = state["visual.class_embedding"].flatten()
    return state


def meta_dinov2(trunk: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Meta's names of DINOv2 with registers: the class token has a position of its own."""
    state = {key: value for key, value in trunk.items() if key not in ("reg_token", "pos_embed", "cls_token")}
    first = torch.randn(1, 1, 32)
    state |= {"cls_token": trunk["cls_token"] - first, "pos_embed": torch.cat((first, trunk["pos_embed"]), 1)}
    return state | {"register_tokens": trunk["reg_token"], "mask_token": torch.zeros(1, 32)}


def meta_dinov3(trunk: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Meta's names of DINOv3, whose attention has a bias of zeros."""
    state = {key.replace("gamma_", "ls").replace("reg_token", "storage_tokens"): v for key, v in trunk.items()}
    state = {f"{key}.gamma" if key.endswith((".ls1", ".ls2")) else key: value for key, value in state.items()}
    state |= {f"blocks.{block}.attn.qkv.bias": torch.zeros(96) for block in range(2)}
    state |= {f"blocks.{block}.attn.qkv.bias_mask": torch.ones(96) for block in range(2)}
    return state | {"mask_token": torch.zeros(1, 32), "rope_embed.periods": torch.ones(4)}


ORIGINAL = {"clip": openai, "dinov2": meta_dinov2, "dinov3": meta_dinov3}


@NAMES
def test_the_files_of_the_authors_load(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = tower(name)
    torch.save(ORIGINAL[name](first.trunk.state_dict()), tmp_path / "theirs.pth")
    second = tower(name, tmp_path, weights="theirs.pth")
    pixels = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(second(pixels).tokens, first(pixels).tokens, atol=1e-5, rtol=1e-5)
    assert capsys.readouterr().out == ""


@NAMES
def test_a_hub_repository(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tower(name)
    save_file(first.trunk.state_dict(), tmp_path / "model.safetensors")

    def fake(repo_id: str, filename: str, **_: object) -> str:
        if repo_id != "someone/tower" or filename != "model.safetensors":
            raise FileNotFoundError(filename)
        return str(tmp_path / filename)

    monkeypatch.setattr("open_clip.pretrained.hf_hub_download", fake)
    second = tower(name, weights="hf-hub:someone/tower")
    state = second.trunk.state_dict()
    assert all(torch.equal(state[key], value) for key, value in first.trunk.state_dict().items())


@NAMES
def test_what_would_be_interpolated_unasked_is_refused(name: str, tmp_path: Path) -> None:
    sizes: Any = SPECS[name].presets["tiny"]["custom"]
    for side, patch, told in ((128, 32, "patches of 32 pixels"), (96, 16, "positions")):
        state = tower(name, custom={**sizes, "image_size": side, "patch_size": patch}).trunk.state_dict()
        save_file(state, tmp_path / "other.safetensors")
        if name != "dinov3" or patch != 16:  # it has no positions of its own
            with pytest.raises(WeightsError, match=told):
                tower(name, tmp_path, weights="other.safetensors")
    own = tower(name, tmp_path, weights="other.safetensors", image_size=96)  # a file of that input size
    assert all(torch.equal(own.trunk.state_dict()[key], value) for key, value in state.items())


@NAMES
def test_layouts_name_every_key(name: str) -> None:
    tops = {rule.ours for rule in SPECS[name].layouts["timm"].rules if isinstance(rule, Rename)}
    assert all(".".join(key.split(".")[:2]) in tops for key in tower(name).state_dict())


@NAMES
def test_weights_that_do_not_fit(name: str, tmp_path: Path) -> None:
    state = tower(name).trunk.state_dict()
    state.pop("blocks.1.norm1.weight")
    save_file(state, tmp_path / "bad.safetensors")
    with pytest.raises(WeightsError, match=r"blocks\.1\.norm1\.weight"):
        tower(name, tmp_path, weights="bad.safetensors")
    with pytest.raises(WeightsError, match="absent"):
        tower(name, tmp_path, weights="absent.safetensors")


def test_clip_is_transformers_clip() -> None:
    """The same weights in Hugging Face's CLIP: last hidden state, normed here as there is no norm there."""
    from transformers import CLIPVisionConfig, CLIPVisionModel

    encoder = tower("clip")
    config = CLIPVisionConfig(
        hidden_size=32, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2, image_size=64, patch_size=16
    )
    theirs = CLIPVisionModel(config).eval()
    trunk = encoder.trunk.state_dict()
    state: dict[str, torch.Tensor] = {
        "embeddings.class_embedding": trunk["cls_token"][0, 0],
        "embeddings.patch_embedding.weight": trunk["patch_embed.proj.weight"],
        "embeddings.position_embedding.weight": trunk["pos_embed"][0],
    }
    for ours, other in (("norm_pre", "pre_layrnorm"), ("norm", "post_layernorm")):
        state |= {f"{other}.{part}": trunk[f"{ours}.{part}"] for part in ("weight", "bias")}
    for block in range(2):
        mine, other = f"blocks.{block}", f"encoder.layers.{block}"
        for part in ("weight", "bias"):
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
    assert not found.unexpected_keys and not [k for k in found.missing_keys if "position_ids" not in k]
    pixels = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        hidden = theirs(pixels, output_hidden_states=True).hidden_states
        torch.testing.assert_close(encoder(pixels).tokens, encoder.trunk.norm(hidden[-1][:, 1:]), atol=1e-4, rtol=1e-4)
        other = tower("clip", layer=-2, norm=False)
        torch.testing.assert_close(other(pixels).tokens, hidden[-2][:, 1:], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("clip", {"model": "vit_large_patch14_clip_224", "tag": "openai"}, "laion2b"),
        ("clip", {"model": "vit_small_patch16_dinov3"}, "quickgelu"),
        ("dinov2", {"image_size": 512}, "504 or 518"),
        ("dinov3", {"layer": -30}, "24 blocks"),
        ("dinov3", {"layer": -2}, "norm: true or norm: false"),
        ("dinov2", {"pool": 2}, "37 x 37"),
        (
            "clip",
            {"custom": {"image_size": 64, "patch_size": 16, "width": 32, "depth": 2, "heads": 2}, "tag": "x"},
            "tag",
        ),
    ],
)
def test_impossible_options(name: str, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        OPTIONS[name](**{"weights": "none", **options})


@NAMES
def test_every_preset_is_valid(name: str) -> None:
    for preset in SPECS[name].presets.values():
        assert OPTIONS[name](**{"weights": "none", **preset}).transform().num_tokens > 0
