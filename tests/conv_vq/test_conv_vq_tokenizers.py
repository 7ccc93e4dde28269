"""What all convolutional tokenizers promise, checked on their tiny presets through their spec records."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import BaseModel, ValidationError
from safetensors.torch import save_file

from janus_conv_vq.options import VQLosses
from janus_core.checkpoints.layouts import carried_keys, to_ours, to_theirs
from janus_core.hookspecs import GenerationTokenizerSpec
from janus_core.interfaces import BuildContext, CodeLayout

NAMES = ("vqgan", "llamagen_vq", "movqgan", "patch_vq", "semantic_tokenizer")


def spec_of(name: str) -> GenerationTokenizerSpec:
    (spec,) = import_module(f"janus_{name}.plugin").janus_generation_tokenizers()
    return spec


def attribute(reference: str) -> Any:
    module, name = reference.split(":")
    return getattr(import_module(module), name)


def tiny(name: str, context: BuildContext | None = None, **options: object) -> Any:
    spec = spec_of(name)
    torch.manual_seed(0)
    made = attribute(spec.options)(**{**spec.presets["tiny"], **options})
    tokenizer = attribute(spec.factory)(made, context or BuildContext()).eval()
    if hasattr(tokenizer.quantize, "embedding"):
        torch.nn.init.normal_(tokenizer.quantize.embedding.weight)
    return tokenizer


@pytest.mark.parametrize("name", NAMES)
def test_codes_and_pixels(name: str) -> None:
    tokenizer = tiny(name)
    side = 2 * tokenizer.factor
    layout = tokenizer.layout(side)
    assert layout == CodeLayout(positions=4, grid=(2, 2), codebooks=(tokenizer.quantize.size,))
    codes = tokenizer.encode(torch.rand(3, 3, side, side) * 2 - 1)
    assert (codes.shape, codes.dtype) == ((3, 4, 1), torch.int64)
    drawn = tokenizer.decode(codes, layout)
    assert drawn.shape == (3, 3, side, side)
    assert drawn.dtype == torch.float32
    vectors = tokenizer.embed(codes)
    assert vectors.shape == (3, 4, tokenizer.code_width)
    one = tokenizer.decode(codes[1:2], layout)
    assert torch.allclose(one, drawn[1:2], atol=1e-4)
    assert tokenizer.decode(codes[:0], layout).shape == (0, 3, side, side)


@pytest.mark.parametrize("name", NAMES)
def test_codes_are_in_raster_order(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = tiny(name)
    layout = CodeLayout(positions=12, grid=(2, 6), codebooks=(tokenizer.quantize.size,))
    codes = torch.arange(24).view(2, 12, 1)
    assert tokenizer.decode(codes, layout).shape == (2, 3, 2 * tokenizer.factor, 6 * tokenizer.factor)
    monkeypatch.setattr(tokenizer, "pixels", lambda vectors: vectors)
    vectors = tokenizer.decode(codes, layout)
    assert torch.equal(vectors[1, :, 1, 2], tokenizer.embed(codes)[1, 6 + 2])
    monkeypatch.setattr(tokenizer, "latents", lambda pixels: vectors)
    assert torch.equal(tokenizer.encode(torch.zeros(2, 3, 2 * tokenizer.factor, 6 * tokenizer.factor)), codes)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", NAMES)
def test_four_types(name: str, dtype: torch.dtype) -> None:
    tokenizer = tiny(name)
    layout = tokenizer.layout(2 * tokenizer.factor)
    codes = torch.randint(tokenizer.quantize.size, (2, 4, 1))
    expected = tokenizer.decode(codes, layout)
    tokenizer = tokenizer.to(dtype)
    drawn = tokenizer.decode(codes, layout)
    assert drawn.dtype == dtype
    assert torch.isfinite(drawn).all()
    tolerance = {torch.float32: 0.0, torch.float64: 1e-4, torch.bfloat16: 0.3, torch.float16: 0.04}[dtype]
    assert (drawn.double() - expected).abs().max() <= tolerance
    assert tokenizer.encode(expected.clamp(-1, 1)).shape == (2, 4, 1)
    assert tokenizer.embed(codes).dtype == dtype


@pytest.mark.parametrize("name", NAMES)
def test_encode_ignores_autocast_and_gradient(name: str) -> None:
    tokenizer = tiny(name).train()
    side = 4 * tokenizer.factor
    pixels = torch.rand(2, 3, side, side) * 2 - 1
    before = {key: value.clone() for key, value in tokenizer.state_dict().items()}
    codes = tokenizer.encode(pixels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(tokenizer.encode(pixels), codes)
    assert all(torch.equal(before[key], value) for key, value in tokenizer.state_dict().items())


@pytest.mark.parametrize("bad", [-1, 64])
@pytest.mark.parametrize("name", NAMES)
def test_code_out_of_range(name: str, bad: int) -> None:
    tokenizer = tiny(name)
    layout = tokenizer.layout(2 * tokenizer.factor)
    codes = torch.zeros(1, 4, 1, dtype=torch.int64)
    codes[0, 2] = bad
    with pytest.raises(ValueError, match=f"{bad} .*63"):
        tokenizer.decode(codes, layout)


@pytest.mark.parametrize("name", NAMES)
def test_wrong_shapes(name: str) -> None:
    tokenizer = tiny(name)
    factor = tokenizer.factor
    layout = tokenizer.layout(2 * factor)
    with pytest.raises(ValueError, match=rf"{factor + 1}.*{factor} or {2 * factor}"):
        tokenizer.layout(factor + 1)
    with pytest.raises(ValueError, match=str(factor + 1)):
        tokenizer.encode(torch.zeros(1, 3, factor, factor + 1))
    with pytest.raises(ValueError, match=r"\[3, 8, 8\]"):
        tokenizer.encode(torch.zeros(3, 8, 8))
    with pytest.raises(ValueError, match=r"\[1, 5, 1\]"):
        tokenizer.decode(torch.zeros(1, 5, 1, dtype=torch.int64), layout)
    with pytest.raises(ValueError, match="codebooks"):
        tokenizer.decode(torch.zeros(1, 4, 1, dtype=torch.int64), CodeLayout(4, (2, 2), (7,)))


@pytest.mark.parametrize("name", NAMES)
def test_transform_of_the_spec(name: str) -> None:
    from PIL import Image

    spec = spec_of(name)
    tokenizer = tiny(name)
    options = attribute(spec.options)(**spec.presets["tiny"])
    made = attribute(spec.transform)(options, BuildContext(image_size=4 * tokenizer.factor))
    prepared = made(Image.new("RGB", (40, 30), "red"))
    assert prepared.num_tokens == tokenizer.encode(made.collate([prepared])).shape[1]
    assert prepared.num_tokens == tokenizer.layout(4 * tokenizer.factor).positions
    with pytest.raises(ValueError, match=str(tokenizer.factor)):
        attribute(spec.transform)(options, BuildContext(image_size=tokenizer.factor + 1))


@pytest.mark.parametrize("name", NAMES)
def test_every_layout_is_reversible_and_its_files_load(name: str, tmp_path: Path) -> None:
    spec = spec_of(name)
    tokenizer = tiny(name)
    state = tokenizer.state_dict()
    shapes = {key: value.shape for key, value in state.items()}
    for format_name, layout in spec.layouts.items():
        theirs = to_theirs(layout, state)
        back = to_ours(layout, theirs, shapes)
        carried = carried_keys(layout, state)
        assert back.faults == 0
        assert set(back.state) == set(state) - set(carried)
        assert all(torch.equal(back.state[key], state[key]) for key in back.state)
        file = f"{format_name}.safetensors"
        save_file({key: value.contiguous().clone() for key, value in theirs.items()}, tmp_path / file)
        for chosen in ("auto", format_name):
            read = tiny_without_reset(name, BuildContext(folder=tmp_path), weights=file, format=chosen)
            assert all(torch.equal(read.state_dict()[key], state[key]) for key in back.state)


def tiny_without_reset(name: str, context: BuildContext, **options: object) -> Any:
    spec = spec_of(name)
    return attribute(spec.factory)(attribute(spec.options)(**{**spec.presets["tiny"], **options}), context)


@pytest.mark.parametrize("name", NAMES)
def test_weights_of_another_size_are_refused_with_all_keys(name: str, tmp_path: Path) -> None:
    state = tiny(name).state_dict()
    gone = next(iter(state))
    del state[gone]
    state["stranger"] = torch.zeros(1)
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(ValueError, match="stranger") as caught:
        tiny_without_reset(name, BuildContext(folder=tmp_path), weights="w.pt", codes=32)
    assert gone in str(caught.value)
    assert "misshapen" in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_options_are_described_and_closed(name: str) -> None:
    spec = spec_of(name)
    options: type[BaseModel] = attribute(spec.options)
    assert all(field.description for field in options.model_fields.values())
    with pytest.raises(ValidationError, match="stranger"):
        options(weights="none", stranger=1)
    with pytest.raises(ValidationError, match="weights"):
        options()
    assert "tiny" in spec.presets
    for preset in spec.presets.values():
        options(**{"weights": "none", **preset})


@pytest.mark.parametrize("name", ["vqgan", "llamagen_vq", "movqgan"])
def test_widths_that_groupnorm_cannot_take(name: str) -> None:
    with pytest.raises(ValidationError, match="use base_channels 32"):
        tiny(name, base_channels=40)


def test_listing_imports_no_torch() -> None:
    code = "import sys\n" + "".join(
        f"import janus_{n}.plugin, janus_{n}.options; list(janus_{n}.plugin.janus_generation_tokenizers())\n"
        for n in NAMES
    )
    subprocess.run([sys.executable, "-c", code + "assert 'torch' not in sys.modules"], check=True)


@pytest.mark.parametrize("name", NAMES[:4])  # the semantic one needs a teacher: tests/semantic_tokenizer
def test_pretraining_gives_gradient_to_everything(name: str) -> None:
    tokenizer = tiny(name).train()
    training = attribute(spec_of(name).pretraining)(tokenizer, VQLosses(adversarial=0), BuildContext())
    side = 2 * tokenizer.factor
    batch = {"inputs": torch.rand(2, 3, side, side) * 2 - 1, "captions": ["a", "b"]}
    losses = training.losses(batch, 0)
    assert {"loss", "absolute", "squared", "commitment", "psnr", "usage", "perplexity"} <= set(losses)
    assert all(value.ndim == 0 and torch.isfinite(value) for value in losses.values())
    assert all(not value.requires_grad for key, value in losses.items() if key != "loss")
    losses["loss"].backward()
    groups = training.optimizer_groups()
    grouped = [parameter for group in groups for parameter in group["params"]]
    assert len(grouped) == len(set(map(id, grouped))) == len(list(tokenizer.parameters()))
    assert all(parameter.grad is not None for parameter in grouped)
    optimizer = torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.1)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0]
    optimizer.step()
