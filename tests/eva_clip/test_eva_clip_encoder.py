"""EVA-CLIP gives patch tokens without the class token, and keeps its rotary tables through every load."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from PIL import Image

from janus_core.interfaces import BuildContext
from janus_eva_clip.model import EvaClipEncoder, build, build_transform
from janus_eva_clip.options import EvaClipOptions
from janus_eva_clip.plugin import PRESETS, janus_understanding_encoders

torch.set_num_threads(1)


def encoder(seed: int = 0, **more: Any) -> EvaClipEncoder:
    built = build(EvaClipOptions(**{**PRESETS["tiny"], **more}), BuildContext()).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in built.parameters():
            mean = 0.5 if parameter.ndim == 1 else 0.0
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1 + mean)
    return built


def test_the_tiny_model_is_an_eva02() -> None:
    trunk = encoder().trunk
    assert type(trunk).__name__ == "Eva"
    assert trunk.rope is not None
    assert trunk.num_prefix_tokens == 1
    assert type(trunk.blocks[0].mlp).__name__ == "SwiGLU"
    assert trunk.blocks[0].attn.q_proj.bias is not None
    assert (trunk.patch_embed.num_patches, trunk.embed_dim) == (16, 32)


@pytest.mark.silent_failure(1)
def test_the_class_token_is_dropped_and_the_patches_are_in_raster_order() -> None:
    built = encoder()
    pixels = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        tokens = built(pixels).tokens
        assert tokens.shape == (1, 16, 32)
        assert torch.equal(tokens, built.trunk.forward_features(pixels)[:, 1:])
        for block in built.trunk.blocks:
            block.attn.proj.weight.zero_()
        for row, column in ((0, 0), (1, 2), (3, 3)):
            other = pixels.clone()
            other[:, :, 16 * row : 16 * row + 16, 16 * column : 16 * column + 16] += 1
            changed = (built(other).tokens - built(pixels).tokens).abs().amax(dim=(0, 2)) > 1e-4
            assert changed.nonzero().flatten().tolist() == [4 * row + column]


def test_layers_are_the_outputs_of_the_blocks() -> None:
    built = encoder()
    pixels = torch.randn(2, 3, 64, 64)
    outputs: list[torch.Tensor] = []
    for block in built.trunk.blocks:
        block.register_forward_hook(lambda _, __, out: outputs.append(out))
    with torch.no_grad():
        built(pixels)
        for layer in (-1, -2):
            for norm in (True, False):
                hidden = built.trunk.norm(outputs[layer]) if norm else outputs[layer]
                ours = encoder(layer=layer, norm=norm)(pixels).tokens
                assert torch.equal(ours, hidden[:, 1:]), (layer, norm)


@pytest.mark.parametrize("assign", [False, True])
def test_rotary_tables_survive_the_meta_device(assign: bool) -> None:
    source = encoder()
    with torch.device("meta"):
        other = build(EvaClipOptions(**PRESETS["tiny"]), BuildContext()).eval()
    if not assign:
        other.to_empty(device="cpu")
        for buffer in other.buffers():
            buffer.fill_(7)
    other.load_state_dict(source.state_dict(), assign=assign)
    pixels = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(other(pixels).tokens, source(pixels).tokens)


@pytest.mark.parametrize(
    ("preset", "tokens", "width"), [("base", 196, 768), ("large", 256, 1024), ("large_336", 576, 1024)]
)
def test_published_sizes(preset: str, tokens: int, width: int) -> None:
    chosen = EvaClipOptions(**PRESETS[preset], weights="none")
    transform = build_transform(chosen, BuildContext())
    with torch.device("meta"):
        built = build(chosen, BuildContext())
        features = built(torch.empty(1, 3, transform.size, transform.size))
    assert features.tokens.shape == (1, tokens, width)
    assert transform.num_tokens == built.num_tokens == tokens
    assert transform.mean == (0.48145466, 0.4578275, 0.40821073)
    assert transform.resize == "shortest"
    assert EvaClipOptions(**chosen.model_dump()) == chosen


@pytest.mark.parametrize("side", [(64, 64), (1, 90), (90, 1), (333, 500)])
@pytest.mark.silent_failure(21)
def test_declared_tokens_are_real(side: tuple[int, int]) -> None:
    for more in ({}, {"pool": 4}, {"resize": "pad"}):
        chosen = EvaClipOptions(**{**PRESETS["tiny"], **more})
        transform = build_transform(chosen, BuildContext())
        prepared = transform(Image.new("RGB", side, (10, 250, 90)))
        features = build(chosen, BuildContext())(transform.collate([prepared] * 2))
        assert features.tokens.shape == (2, prepared.num_tokens, 32)


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match="merged2b_s8b_b131k"):
        EvaClipOptions(model="EVA02-B-16", weights="none")
    with pytest.raises(ValueError, match="multiple of 4"):
        EvaClipOptions(
            custom={"image_size": 64, "patch_size": 16, "width": 12, "depth": 1, "heads": 2},  # type: ignore[arg-type]
            weights="none",
        )
    assert all(field.description for field in EvaClipOptions.model_fields.values())


def test_layouts_name_every_key() -> None:
    with torch.device("meta"):
        built = build(EvaClipOptions(**PRESETS["base"], weights="none"), BuildContext())
    spec = next(iter(janus_understanding_encoders()))
    assert spec.name == "eva_clip"
    tops = {rule.ours for rule in spec.layouts["timm"].rules}
    assert {".".join(key.split(".")[:2]) for key in built.state_dict()} == tops
