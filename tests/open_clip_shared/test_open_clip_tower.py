"""The tower alone computes what the full open_clip model's vision tower computes."""

from __future__ import annotations

from typing import Any

import open_clip
import pytest
import timm
import torch
from open_clip.model import CustomTextCLIP
from torch import nn

from janus_open_clip.tower import VisionTower, average, build_trunk, trunk_of

torch.set_num_threads(1)
TEXT = {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1}


def redraw(module: nn.Module, seed: int = 0) -> None:
    """New weights everywhere: at initialisation norms and biases hide wrong maps."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            mean = 0.5 if parameter.ndim == 1 else 0.0
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1 + mean)


@pytest.mark.parametrize(("name", "pool"), [("test_vit", "avg"), ("test_vit2", "map")])
def test_tower_alone_is_bit_equal_to_the_full_model(name: str, pool: str) -> None:
    vision = {"image_size": 160, "timm_model_name": name, "timm_pool": "avg", "timm_proj": "none"}
    full = CustomTextCLIP(64, {**vision, "timm_pool": pool}, TEXT).eval()
    redraw(full)
    trunk: Any = trunk_of({**vision, "timm_pool": pool}, 64)
    trunk.load_state_dict(full.visual.trunk.state_dict(), strict=True)
    pixels = torch.randn(2, 3, 160, 160)
    wrapped = full.visual.forward_intermediates(
        pixels, indices=[-2, -1], normalize_intermediates=True, output_fmt="NLC"
    )["image_intermediates"]
    raw = full.visual.forward_intermediates(pixels, indices=[-2, -1], output_fmt="NLC")["image_intermediates"]
    for layer in (-1, -2):
        for norm, reference in ((True, wrapped), (False, raw)):
            tower = VisionTower(trunk, layer=layer, norm=norm).eval()
            assert torch.equal(tower(pixels).tokens, reference[layer]), (layer, norm)


@pytest.mark.parametrize(
    ("model", "tag"),
    [("ViT-L-16-SigLIP-384", "webli"), ("ViT-B-16-SigLIP2", "webli"), ("EVA02-B-16", "merged2b_s8b_b131k")],
)
def test_keys_and_shapes_are_the_full_models(model: str, tag: str) -> None:
    config = {k: v for k, v in open_clip.get_model_config(model).items() if k != "custom_text"}
    with torch.device("meta"):
        full = CustomTextCLIP(**config)
        tower = VisionTower(build_trunk(model, tag))
    theirs = {k.removeprefix("visual."): v.shape for k, v in full.state_dict().items() if k.startswith("visual.")}
    assert {k: v.shape for k, v in tower.state_dict().items()} == theirs


def test_pooling_is_average_pooling_of_the_patch_grid() -> None:
    tokens = torch.randn(2, 36, 5)
    reference = torch.nn.functional.avg_pool2d(tokens.view(2, 6, 6, 5).permute(0, 3, 1, 2), 3)
    torch.testing.assert_close(average(tokens, 6, 3), reference.permute(0, 2, 3, 1).flatten(1, 2))


def test_five_prefix_tokens_are_dropped_by_number() -> None:
    trunk = trunk_of({"image_size": 160, "timm_model_name": "test_vit", "timm_pool": "avg", "timm_proj": "none"}, 64)
    registers: Any = timm.create_model("test_vit", img_size=64, reg_tokens=4, num_classes=0)
    assert registers.num_prefix_tokens == 5
    tower = VisionTower(registers).eval()
    pixels = torch.randn(1, 3, 64, 64)
    tokens = tower(pixels).tokens
    assert tokens.shape == (1, tower.num_tokens, tower.width)
    assert torch.equal(tokens, registers.forward_features(pixels)[:, 5:])
    assert VisionTower(trunk).num_tokens == 100


def test_impossible_choices_are_refused() -> None:
    trunk = trunk_of({"image_size": 160, "timm_model_name": "test_vit", "timm_pool": "avg", "timm_proj": "none"}, 64)
    with pytest.raises(ValueError, match="layer 0 is not possible: use -6 to -1"):
        VisionTower(trunk, layer=0)
    with pytest.raises(ValueError, match="pool 3 does not divide the 10 x 10"):
        VisionTower(trunk, pool=3)
    with pytest.raises(ValueError, match=r"\[B, 3, 160, 160\], got \[1, 3, 96, 160\]"):
        VisionTower(trunk)(torch.zeros(1, 3, 96, 160))
