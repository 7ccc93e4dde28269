"""fsq, lfq and residual: the library's quantizers under one contract, against formulas written out here."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from math import log, prod
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from pydantic import BaseModel, ValidationError
from safetensors.torch import save_file
from torch.nn import functional as F

from janus_conv_vq.options import VQLosses
from janus_conv_vq.pretrain import begin, entropy_loss
from janus_core.interfaces import BuildContext, CodeLayout, Sampling
from janus_core.model.code_table import build_code_table

pytest.importorskip("vector_quantize_pytorch", reason="needs the extra quantizers")

from janus_quantizers import model as built
from janus_quantizers.options import FSQOptions, LFQLosses, LFQOptions, ResidualOptions
from janus_quantizers.plugin import janus_generation_tokenizers

SPECS = {spec.name: spec for spec in janus_generation_tokenizers()}
OPTIONS: dict[str, type[BaseModel]] = {"fsq": FSQOptions, "lfq": LFQOptions, "residual": ResidualOptions}
CASES: list[tuple[str, dict[str, object], tuple[int, ...]]] = [
    ("fsq", {}, (64,)),
    ("fsq", {"levels": (8, 5, 3, 7), "codebooks": 2}, (40, 21)),
    ("fsq", {"levels": (8, 5, 4), "codebooks": 3}, (8, 5, 4)),
    ("lfq", {}, (64,)),
    ("lfq", {"codebooks": 3}, (4, 4, 4)),
    ("residual", {}, (16, 16, 16)),
    ("residual", {"codebooks": 1}, (16,)),
]
CASE = pytest.mark.parametrize(("name", "options", "sizes"), CASES)


def tiny(name: str, context: BuildContext | None = None, **options: object) -> Any:
    torch.manual_seed(0)
    made = OPTIONS[name](**{**SPECS[name].presets["tiny"], **options})
    return getattr(built, f"build_{name}")(made, context or BuildContext()).eval()


def smooth(count: int, side: int = 32) -> torch.Tensor:
    coarse = torch.rand(count, 3, 4, 4) * 2 - 1
    return F.interpolate(coarse, size=side, mode="bicubic", align_corners=False).clamp(-1, 1)


@CASE
def test_codes_pixels_and_vectors(name: str, options: dict[str, object], sizes: tuple[int, ...]) -> None:
    tokenizer = tiny(name, **options)
    layout = tokenizer.layout(32)
    assert layout == CodeLayout(positions=4, grid=(2, 2), codebooks=sizes)
    latents = torch.randn(3, tokenizer.code_width, 2, 2) * 2
    tokenizer.latents = lambda pixels: latents[: len(pixels)]
    codes = tokenizer.encode(torch.zeros(3, 3, 32, 32))
    assert (codes.shape, codes.dtype) == ((3, 4, len(sizes)), torch.int64)
    assert len(codes.unique()) > 2
    assert all(int(codes[..., c].max()) < size and int(codes.min()) >= 0 for c, size in enumerate(sizes))
    drawn = tokenizer.decode(codes, layout)
    assert drawn.shape == (3, 3, 32, 32)
    assert torch.allclose(tokenizer.decode(codes[1:2], layout), drawn[1:2], atol=1e-4)
    vectors = tokenizer.embed(codes)
    assert vectors.shape == (3, 4, tokenizer.code_width)
    assert tokenizer.decode(codes[:0], layout).shape == (0, 3, 32, 32)
    bad = codes.clone()
    bad[0, 2, -1] = sizes[-1]
    with pytest.raises(ValueError, match=rf"{sizes[-1]}.*0 to {sizes[-1] - 1}"):
        tokenizer.embed(bad)


@CASE
def test_training_and_encoding_choose_the_same(name: str, options: dict[str, object], sizes: tuple[int, ...]) -> None:
    tokenizer = tiny(name, **options)
    latents = (torch.randn(2, tokenizer.code_width, 2, 3) * 2).requires_grad_()
    quantized = tokenizer.quantize(latents)
    rows = latents.movedim(1, -1)
    codes = tokenizer.assign(rows)
    assert torch.equal(quantized.codes.view(codes.shape), codes)
    torch.testing.assert_close(quantized.vectors.movedim(1, -1), tokenizer.lookup(codes), atol=1e-6, rtol=1e-5)
    quantized.vectors.sum().backward()
    assert latents.grad is not None and bool((latents.grad != 0).all())
    if name != "fsq":  # straight through; fsq's gradient is tanh's
        assert torch.equal(latents.grad, torch.ones_like(latents))


@pytest.mark.parametrize(("levels", "codebooks"), [((4, 4, 4), 1), ((8, 5, 3, 7), 2), ((8, 5, 4), 3)])
def test_fsq_is_the_formula_of_the_paper(levels: tuple[int, ...], codebooks: int) -> None:
    """Mentzer et al., appendix A.1, in float64 and with the mixed radix of each codebook."""
    tokenizer = tiny("fsq", levels=levels, codebooks=codebooks)
    rows = torch.randn(50, len(levels)) * 3
    steps = torch.tensor(levels, dtype=torch.float64)
    half = (steps - 1) * (1 + 1e-3) / 2
    offset = torch.where(steps % 2 == 0, 0.5, 0.0)
    bounded = torch.tanh(rows.double() + torch.atanh(offset / half)) * half - offset
    digits = (bounded.round() + torch.div(steps, 2, rounding_mode="floor")).long()
    each = len(levels) // codebooks
    expected = []
    for first in range(0, len(levels), each):
        code, weight = torch.zeros(50, dtype=torch.int64), 1
        for index in range(first, first + each):
            code += digits[:, index] * weight
            weight *= levels[index]
        expected.append(code)
    codes = tokenizer.assign(rows)
    assert torch.equal(codes, torch.stack(expected, -1))
    vectors = bounded.round() / torch.div(steps, 2, rounding_mode="floor")
    torch.testing.assert_close(tokenizer.lookup(codes).double(), vectors, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", list(SPECS))
def test_codes_and_vectors_are_the_librarys(name: str) -> None:
    import vector_quantize_pytorch as library

    tokenizer = tiny(name)
    theirs = {
        "fsq": lambda: library.FSQ([4, 4, 4]),
        "lfq": lambda: library.LFQ(codebook_size=64, dim=6),
        "residual": lambda: library.ResidualVQ(dim=8, num_quantizers=3, codebook_size=16),
    }[name]().eval()
    theirs.load_state_dict(tokenizer.quantize.library.state_dict())
    rows = torch.randn(2, 20, tokenizer.code_width) * 2
    vectors, ids, *_ = theirs(rows)
    codes = tokenizer.assign(rows)
    assert torch.equal(codes, ids.view(codes.shape).long())
    torch.testing.assert_close(tokenizer.lookup(codes), vectors)


@pytest.mark.parametrize("codebooks", [1, 2, 6])
def test_lfq_takes_signs(codebooks: int) -> None:
    tokenizer = tiny("lfq", codebooks=codebooks)
    rows = torch.randn(40, 6)
    bits = (rows > 0).long().view(40, codebooks, -1)
    weights = 2 ** torch.arange(6 // codebooks - 1, -1, -1)
    codes = tokenizer.assign(rows)
    assert torch.equal(codes, (bits * weights).sum(-1))
    assert torch.equal(tokenizer.lookup(codes), rows.sign())


@pytest.mark.parametrize("codebooks", [1, 2])
def test_the_entropy_loss_of_lfq_is_the_librarys(codebooks: int) -> None:
    tokenizer = tiny("lfq", codebooks=codebooks)
    latents = torch.randn(4, 6, 3, 3) * 0.05
    losses = LFQLosses(perceptual=0, adversarial=0)
    assert losses.entropy == 0.1
    training = begin(tokenizer, losses, BuildContext())
    pixels = torch.zeros(4, 3, 48, 48)
    terms = training.terms(pixels, pixels, tokenizer.quantize(latents))
    library = tokenizer.quantize.library.train()
    _, breakdown = library(latents.flatten(2).transpose(1, 2), return_loss_breakdown=True)
    expected = breakdown.per_sample_entropy - breakdown.batch_entropy
    torch.testing.assert_close(terms["entropy"], expected, atol=1e-3, rtol=1e-3)


def test_residual_codes_are_of_what_is_left() -> None:
    tokenizer = tiny("residual")
    rows = torch.randn(30, 8)
    left, expected = rows, []
    for table in tokenizer.quantize.library.codebooks:
        expected.append(torch.cdist(left, table).argmin(1))
        left = left - table[expected[-1]]
    codes = tokenizer.assign(rows)
    assert torch.equal(codes, torch.stack(expected, -1))
    torch.testing.assert_close(tokenizer.lookup(codes), rows - left)


def test_the_commitment_of_residual_is_the_sum_over_the_codebooks_in_both_modes() -> None:
    tokenizer = tiny("residual")
    latents = torch.randn(2, 8, 2, 2)
    left, expected = latents.movedim(1, -1).reshape(-1, 8), torch.zeros(())
    for table in tokenizer.quantize.library.codebooks:
        left = left - table[torch.cdist(left, table).argmin(1)]
        expected = expected + left.square().mean()
    for mode in (False, True):
        tokenizer.train(mode)
        torch.testing.assert_close(tokenizer.quantize(latents).commitment, expected)


@CASE
def test_encoding_changes_nothing_in_training_mode(
    name: str, options: dict[str, object], sizes: tuple[int, ...]
) -> None:
    tokenizer = tiny(name, **options).train()
    before = {key: value.clone() for key, value in tokenizer.state_dict().items()}
    pixels = smooth(3)
    codes = tokenizer.encode(pixels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(tokenizer.encode(pixels), codes)
    assert all(torch.equal(before[key], value) for key, value in tokenizer.state_dict().items())
    assert tokenizer.quantize.library.training


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
@CASE
def test_other_types(name: str, options: dict[str, object], sizes: tuple[int, ...], dtype: torch.dtype) -> None:
    tokenizer = tiny(name, **options)
    layout = tokenizer.layout(32)
    codes = torch.stack([torch.randint(size, (2, 4)) for size in sizes], -1)
    expected = tokenizer.decode(codes, layout)
    tokenizer = tokenizer.to(dtype)
    drawn = tokenizer.decode(codes, layout)
    assert drawn.dtype == tokenizer.embed(codes).dtype == dtype
    assert (drawn.double() - expected).abs().mean() <= (1e-4 if dtype == torch.float64 else 0.1)
    assert tokenizer.encode(expected.clamp(-1, 1)).shape == codes.shape
    tokenizer.train().reconstruct(smooth(2))


@CASE
def test_weights_survive_a_file_a_pickle_and_the_meta_device(
    name: str, options: dict[str, object], sizes: tuple[int, ...], tmp_path: Path
) -> None:
    first = tiny(name, **options)
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    pixels = smooth(2)
    codes = first.encode(pixels)
    save_file(first.state_dict(), tmp_path / "w.safetensors")
    second = tiny(name, BuildContext(folder=tmp_path), **{**options, "weights": "w.safetensors"})
    with torch.device("meta"):
        third = tiny(name, **options)
    assert all(tensor.is_meta for tensor in third.parameters())
    third = third.to_empty(device="cpu")
    third.load_state_dict(first.state_dict())
    for other in (second, third, copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
        assert torch.equal(other.encode(pixels), codes)
        assert torch.equal(other.embed(codes), first.embed(codes))


@CASE
def test_learns(name: str, options: dict[str, object], sizes: tuple[int, ...]) -> None:
    tokenizer = tiny(name, **{**options, "channel_multipliers": (1, 1)}).train()
    pictures = smooth(16, 16)
    losses = (LFQLosses if name == "lfq" else VQLosses)(absolute=1, perceptual=0, adversarial=0)
    training = begin(tokenizer, losses, BuildContext())
    optimizer = torch.optim.AdamW(training.optimizer_groups(), lr=2e-3)
    told: list[float] = []
    for step in range(25):
        found = training.losses({"inputs": pictures, "captions": []}, step)
        optimizer.zero_grad()
        found["loss"].backward()
        optimizer.step()
        told.append(float(found["absolute"]))
        assert ("commitment" in found) == (name != "fsq") and ("entropy" in found) == (name == "lfq")
        assert "codebook" not in found
    assert told[-1] < 0.75 * told[0]
    assert 0 < float(found["usage"]) <= 1 and 1 <= float(found["perplexity"]) <= prod(sizes)
    tokenizer.eval()
    measured = training.measure([{"inputs": pictures, "captions": []}])
    assert 0 < measured["codebook_usage"] <= 1 and measured["absolute"] < told[0]


def test_the_codebooks_of_residual_move_in_training_only() -> None:
    tokenizer = tiny("residual")
    table = tokenizer.quantize.library.codebooks.clone()
    tokenizer.reconstruct(smooth(4))
    assert torch.equal(tokenizer.quantize.library.codebooks, table)
    tokenizer.train().reconstruct(smooth(4))
    assert not torch.equal(tokenizer.quantize.library.codebooks, table)
    assert not any("quantize" in name for name, _ in tokenizer.named_parameters())


@CASE
def test_the_code_table_begins_as_the_tokenizers_vectors(
    name: str, options: dict[str, object], sizes: tuple[int, ...]
) -> None:
    tokenizer = tiny(name, **options)
    layout = tokenizer.layout(32)
    table = build_code_table(tokenizer, layout, "tokenizer")
    assert tuple(part.num_embeddings for part in table.tables) == sizes
    codes = torch.stack([torch.randint(size, (5, 4)) for size in sizes], -1)
    torch.testing.assert_close(table(codes), tokenizer.embed(codes), atol=1e-5, rtol=1e-5)


def test_a_code_table_of_vectors_that_do_not_add_up_is_refused() -> None:
    tokenizer = tiny("residual")
    real = tokenizer.lookup
    tokenizer.lookup = lambda codes: real(codes) * (1 + codes.sum(-1, keepdim=True))
    with pytest.raises(ValueError, match="code_table: random"):
        build_code_table(tokenizer, tokenizer.layout(32), "tokenizer")


@pytest.mark.parametrize(
    ("name", "options", "sizes"), [CASES[0], CASES[4], CASES[5]], ids=["fsq", "lfq of 3 codebooks", "residual"]
)
def test_trains_saves_and_draws(
    tiny_recipe: Any, tmp_path: Path, name: str, options: dict[str, object], sizes: tuple[int, ...]
) -> None:
    from janus_core.checkpoints.own import load_checkpoint
    from janus_core.inference.session import Session

    values = tiny_recipe.recipe("generation", tokenizer=name, steps=3)
    values["model"]["generation_tokenizer"]["options"] = options
    trained = tiny_recipe.train(values, tmp_path / "out")
    head = trained.built.model.generation_head
    assert head.codebooks == sizes and head.vision_head.out_features == sum(sizes)
    loaded, _, _ = load_checkpoint(tmp_path / "out")
    assert tiny_recipe.differing(tiny_recipe.weights(trained.built.model), tiny_recipe.weights(loaded.model)) == []
    sampling = Sampling(guidance=2.0)
    drawn = [s.draw(["a cat"], images_per_prompt=2, sampling=sampling, seed=1) for s in (trained, Session(loaded))]
    for mine, theirs in zip(*drawn, strict=True):
        assert mine.codes.shape == (4, len(sizes))
        assert torch.equal(torch.as_tensor(mine.codes), torch.as_tensor(theirs.codes))
    assert len({tuple(torch.as_tensor(d.codes).flatten().tolist()) for d in drawn[0]}) == 2


@pytest.fixture
def tiny_recipe(tiny: ModuleType) -> ModuleType:
    return tiny


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("fsq", {"levels": (8, 8, 8), "codebooks": 2}, r"1, 3"),
        ("fsq", {"levels": (2, 8)}, "greater than or equal to 3"),
        ("fsq", {"levels": (64,) * 5}, "1073741824"),
        ("lfq", {"bits": 20, "codebooks": 1}, r"2, 4, 5"),
        ("lfq", {"bits": 6, "codebooks": 4}, r"1, 2, 3, 6"),
        ("residual", {"codebooks": 0}, "greater than or equal to 1"),
    ],
)
def test_impossible_options(name: str, options: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        OPTIONS[name](**{"weights": "none", **options})


@pytest.mark.parametrize(("name", "loss"), [("fsq", "commitment"), ("fsq", "entropy"), ("residual", "entropy")])
def test_a_loss_that_there_is_not_is_refused(name: str, loss: str) -> None:
    with pytest.raises(ValueError, match=f"losses.{loss}.*remove it"):
        begin(tiny(name), VQLosses(**{"perceptual": 0, "adversarial": 0, loss: 1.0}), BuildContext())


@pytest.mark.parametrize("name", list(SPECS))
def test_every_preset_is_valid(name: str) -> None:
    for preset in SPECS[name].presets.values():
        options = OPTIONS[name](**{"weights": "none", **preset})
        assert all(2 <= size <= 2**18 for size in options.sizes)  # type: ignore[attr-defined]


def test_entropy_loss_of_sure_and_even_codes_is_lowest() -> None:
    table = tiny("lfq").quantize.table()
    even = entropy_loss(table[None] * 1.0, table, 0.01)
    one = entropy_loss(table[:1].expand(1, 64, 6), table, 0.01)
    assert float(even) == pytest.approx(-log(64), abs=1e-3)
    assert float(one) == pytest.approx(0, abs=1e-3)


def test_without_the_library_the_listing_works_and_building_says_what_to_install() -> None:
    code = """
import sys
sys.modules["vector_quantize_pytorch"] = None
from janus_quantizers.plugin import janus_generation_tokenizers
assert "torch" not in sys.modules
from janus_core.interfaces import BuildContext
from janus_quantizers import model, options
spec = next(iter(janus_generation_tokenizers()))
made = options.FSQOptions(**spec.presets["tiny"])
model.build_transform(made, BuildContext(image_size=32))
try:
    model.build_fsq(made, BuildContext())
except ImportError as error:
    print(error)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "vector-quantize-pytorch" in out and "janus-umm[quantizers]" in out
