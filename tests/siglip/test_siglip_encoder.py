"""SigLIP computes what transformers computes, and declares what it gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import JanusVisionConfig, SiglipVisionConfig, SiglipVisionModel
from transformers.models.janus.modeling_janus import JanusVisionModel

from janus_core.checkpoints.layouts import to_ours, to_theirs
from janus_core.hookspecs import Layout, Rename
from janus_core.interfaces import BuildContext, UnderstandingEncoder
from janus_siglip.layouts import huggingface
from janus_siglip.model import SigLIPEncoder, build, build_transform
from janus_siglip.options import SigLIPOptions
from janus_siglip.plugin import PRESETS, janus_understanding_encoders

torch.set_num_threads(1)
SIZES = {"image_size": 64, "patch_size": 16, "width": 32, "depth": 3, "heads": 2}


def options(**more: Any) -> SigLIPOptions:
    return SigLIPOptions(**{"custom": SIZES, "weights": "none", **more})


def encoder(seed: int = 0, **more: Any) -> SigLIPEncoder:
    """A small encoder whose weights are all new: at initialisation norms and biases hide wrong maps."""
    built = build(options(**more), BuildContext()).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in built.parameters():
            mean = 0.5 if parameter.ndim == 1 else 0.0
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1 + mean)
    return built


def to_foreign(layout: Layout, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A plain reading of the rules, independent of the core's."""
    result: dict[str, Tensor] = {}
    for key, value in state.items():
        if key.startswith(tuple(prefix + "." for prefix in layout.carried)):
            continue
        rules = [rule for rule in layout.rules if key == rule.ours or key.startswith(rule.ours + ".")]
        rule = max(rules, key=lambda r: len(r.ours))
        if isinstance(rule, Rename):
            result[rule.theirs + key.removeprefix(rule.ours)] = value[0] if rule.shape == "squeeze" else value
        else:
            result |= dict(zip(rule.theirs, value.chunk(len(rule.theirs)), strict=True))
    return result


def siglip_of_transformers(source: SigLIPEncoder) -> SiglipVisionModel:
    config = SiglipVisionConfig(
        hidden_size=32, intermediate_size=128, num_hidden_layers=3, num_attention_heads=2, image_size=64, patch_size=16,
        hidden_act="gelu", layer_norm_eps=1e-6,
    )  # fmt: skip
    model = SiglipVisionModel(config).eval()
    missing, unexpected = model.load_state_dict(to_foreign(huggingface(3), source.state_dict()), strict=False)
    assert not unexpected
    assert all(key.startswith("head.") for key in missing)
    return model


def test_equals_transformers_at_every_layer_with_and_without_norm() -> None:
    source = encoder()
    reference = siglip_of_transformers(source)
    pixels = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        theirs = reference(pixels, output_hidden_states=True)
        torch.testing.assert_close(source(pixels).tokens, theirs.last_hidden_state, atol=2e-6, rtol=0)
        for layer in (-1, -2, -3):
            for norm in (False, True):
                hidden = theirs.hidden_states[layer]
                hidden = reference.post_layernorm(hidden) if norm else hidden
                ours = encoder(layer=layer, norm=norm)(pixels).tokens
                torch.testing.assert_close(ours, hidden, atol=2e-6, rtol=0)
    assert not torch.allclose(theirs.hidden_states[-1], theirs.last_hidden_state, atol=1e-2), "norm is visible"


def test_equals_the_janus_port_of_transformers() -> None:
    source = encoder()
    config = JanusVisionConfig(
        hidden_size=32, num_hidden_layers=3, num_attention_heads=2, image_size=64, patch_size=16, hidden_act="gelu",
        mlp_ratio=4.0, projection_dim=32, layer_norm_eps=1e-6, attention_dropout=0.0,
    )  # fmt: skip
    model = JanusVisionModel(config).eval()
    layout = next(iter(janus_understanding_encoders())).layouts["huggingface_janus"]
    model.load_state_dict(to_foreign(layout, source.state_dict()), strict=True)
    pixels = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(source(pixels).tokens, model(pixels).last_hidden_state, atol=2e-6, rtol=0)


def test_every_key_has_exactly_one_name_in_every_layout() -> None:
    with torch.device("meta"):
        paper = build(SigLIPOptions(**PRESETS["paper"], weights="none"), BuildContext())
    state = dict(paper.state_dict())
    assert len(state) == 306
    spec = next(iter(janus_understanding_encoders()))
    counts = {name: len(to_foreign(layout, state)) for name, layout in spec.layouts.items()}
    assert counts == {
        "timm": 306,
        "open_clip": 306,
        "deepseek": 306,
        "huggingface": 306 - 13 + 4 * 24,
        "huggingface_janus": 306 - 13 + 4 * 24,
    }
    assert set(to_foreign(spec.layouts["deepseek"], state)) == set(paper.trunk.state_dict())


def test_the_papers_encoder() -> None:
    chosen = SigLIPOptions(**PRESETS["paper"], weights="none")
    with torch.device("meta"):
        built = build(chosen, BuildContext())
        features = built(torch.empty(2, 3, 384, 384))
    assert sum(parameter.numel() for parameter in built.parameters()) == 316_283_904
    pool = [parameter for name, parameter in built.named_parameters() if ".attn_pool." in name]
    assert (len(pool), sum(parameter.numel() for parameter in pool)) == (13, 12_595_200)
    assert features.tokens.shape == (2, 576, 1024)
    assert build_transform(chosen, BuildContext()).num_tokens == built.num_tokens == 576
    assert (built.width, built.modality, built.trunk.norm.eps) == (1024, "image", 1e-6)
    assert isinstance(built.trunk.blocks[0].mlp.act, nn.GELU)
    assert built.trunk.blocks[0].mlp.act.approximate == "none"
    assert build_transform(chosen, BuildContext()).resize == "pad"


def test_the_attention_pool_is_carried_but_not_computed_with() -> None:
    built = encoder()
    built(torch.randn(1, 3, 64, 64)).tokens.sum().backward()
    for name, parameter in built.named_parameters():
        assert (parameter.grad is None) == (".attn_pool." in name), name


@pytest.mark.silent_failure(1)
def test_tokens_are_patches_in_raster_order() -> None:
    """With no mixing between patches (attention's output zeroed), a changed patch changes its own token only."""
    built = encoder()
    with torch.no_grad():
        for block in built.trunk.blocks:
            block.attn.proj.weight.zero_()
        pixels = torch.randn(1, 3, 64, 64)
        for row, column in ((0, 0), (0, 3), (2, 1), (3, 3)):
            other = pixels.clone()
            other[:, :, 16 * row : 16 * row + 16, 16 * column : 16 * column + 16] += 1
            changed = (built(other).tokens - built(pixels).tokens).abs().amax(dim=(0, 2)) > 1e-4
            assert changed.nonzero().flatten().tolist() == [4 * row + column]


@pytest.mark.parametrize(("preset", "tokens"), [("tiny", 16), ("quickstart", 64)])
@pytest.mark.parametrize("side", [(64, 64), (1, 90), (90, 1), (333, 500)])
@pytest.mark.silent_failure(1, 21)
def test_declared_tokens_are_real(preset: str, tokens: int, side: tuple[int, int]) -> None:
    chosen = SigLIPOptions(**{**PRESETS[preset], "weights": "none"})
    built: UnderstandingEncoder = build(chosen, BuildContext())
    transform = build_transform(chosen, BuildContext())
    prepared = transform(Image.new("RGB", side, (200, 30, 90)))
    features = built.forward(transform.collate([prepared, prepared]))
    assert features.tokens.shape == (2, prepared.num_tokens, built.width)
    assert prepared.num_tokens == tokens
    assert features.mask is None


def test_pooling_averages_the_grid() -> None:
    whole, pooled = encoder(), encoder(pool=2)
    pixels = torch.randn(2, 3, 64, 64)
    reference = whole(pixels).tokens.view(2, 2, 2, 2, 2, 32).mean((2, 4)).flatten(1, 2)
    torch.testing.assert_close(pooled(pixels).tokens, reference)
    assert SigLIPOptions(weights="none", pool=2).transform().num_tokens == 144


@pytest.mark.silent_failure(21)
def test_every_preset_is_valid_and_keeps_its_declared_facts() -> None:
    for name, values in PRESETS.items():
        chosen = SigLIPOptions(**{"weights": "none", **values})
        assert SigLIPOptions(**chosen.model_dump()) == chosen, name
        with torch.device("meta"):
            built = build(chosen, BuildContext())
        assert built.num_tokens == chosen.transform().num_tokens
        assert built.width == chosen.architecture().width
    assert "weights" not in PRESETS["paper"]
    assert "weights" not in PRESETS["quickstart"]
    assert all(field.description for field in SigLIPOptions.model_fields.values())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"model": "ViT-L-16-SigLIP-348"}, "Did you mean 'ViT-L-16-SigLIP-384'"),
        ({"model": "EVA02-B-16"}, "EVA02-B-16' is not known"),
        ({"tag": "openai"}, "Allowed: webli"),
        ({"layer": -2}, "norm: true or norm: false"),
        ({"layer": -25, "norm": True}, "has 24 blocks"),
        ({"layer": 3}, "less than or equal to -1"),
        ({"pool": 5}, r"use one of \[1, 2, 3, 4, 6, 8, 12, 24\]"),
        ({"wieghts": 1}, "wieghts"),
        ({"custom": SIZES, "model": "ViT-B-16-SigLIP"}, "exclude each other"),
        ({"custom": SIZES, "weights": "tag"}, "needs a named model"),
        ({"custom": {**SIZES, "image_size": 70}}, "use 64"),
        ({"custom": {**SIZES, "heads": 5}}, "not a multiple of heads"),
        ({"custom": {**SIZES, "dept": 5}}, "dept"),
    ],
)
def test_wrong_options_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SigLIPOptions(**{"weights": "none", **wrong})


@pytest.mark.parametrize("wrapper", ["", "vision_model."])
def test_the_core_reads_and_writes_transformers_files(wrapper: str) -> None:
    source = encoder()
    layout = next(iter(janus_understanding_encoders())).layouts["huggingface"]
    file = {wrapper + key: value for key, value in siglip_of_transformers(source).state_dict().items()}
    expected = {key: tuple(value.shape) for key, value in source.state_dict().items()}
    read = to_ours(layout, file, expected)
    assert read.describe() == ""
    assert len(read.carried) == 13
    assert all(torch.equal(read.state[key], source.state_dict()[key]) for key in read.state)
    written = to_theirs(layout, source.state_dict())
    assert {wrapper + key for key in written} == {key for key in file if not key.startswith(wrapper + "head.")}


@pytest.mark.parametrize(("name", "before"), [("timm", ""), ("deepseek", ""), ("open_clip", "visual.trunk.")])
def test_the_core_round_trips_the_other_layouts_without_loss(name: str, before: str) -> None:
    state = encoder().state_dict()
    layout = next(iter(janus_understanding_encoders())).layouts[name]
    file = to_theirs(layout, state)
    assert set(file) == {before + key.removeprefix("trunk.") for key in state}
    if name == "open_clip":
        file |= {"text.transformer.x": torch.ones(1), "logit_scale": torch.ones(1)}
    read = to_ours(layout, file, {key: tuple(value.shape) for key, value in state.items()})
    assert read.describe() == ""
    assert not read.carried
    assert all(torch.equal(read.state[key], value) for key, value in state.items())
