"""Swap one word: encoders with tokenizers, for each mode, through the paper's three stages."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from janus_core.checkpoints.own import load_checkpoint
from janus_core.errors import UserError
from janus_core.inference.session import Session
from janus_core.interfaces import Sampling

ENCODERS = ["siglip", "eva_clip", "tokenizer_as_encoder"]
TOKENIZERS = ["vqgan", "llamagen_vq", "movqgan"]
FURTHER = [
    *[(encoder, "vqgan") for encoder in ("siglip2", "clip", "dinov2", "dinov3")],
    *[("siglip", tokenizer) for tokenizer in ("fsq", "lfq", "residual")],
]
"""Parts that are tried beside the first encoder or tokenizer only."""
MODES = ["understanding", "generation", "both"]
RAN: set[tuple[str, ...]] = set()


@pytest.fixture(scope="module", autouse=True)
def _counted(request: pytest.FixtureRequest) -> Iterator[None]:
    """Design, rule 8: all cells that were chosen have run to their end (a worker of xdist runs only some)."""
    yield
    failed = request.session.testsfailed
    if "PYTEST_XDIST_WORKER" not in os.environ and not failed:
        assert len(RAN) == len(cells(request))


def cells(request: pytest.FixtureRequest) -> list[str]:
    """The cells of the matrix among the collected tests."""
    items = [item for item in request.session.items if item.path == Path(__file__)]
    return [item.name for item in items if item.name.startswith("test_each_pair_")]


def base(tiny: ModuleType, mode: str) -> dict[str, Any]:
    """The recipe that all cells are made of by changing words: siglip, vqgan, mlp.

    Understanding only has no head; generation only keeps its encoder, which no sample uses (a model without any encoder
    is trained in tests/core).
    """
    values: dict[str, Any] = tiny.three_stages(tiny.recipe("both", text=True))
    if mode != "both":
        gone = "generation" if mode == "understanding" else "understanding"
        for stage in values["stages"]:
            stage["mixture"][gone] = 0
    if mode == "understanding":
        for part in ("generation_head", "generation_adapter"):
            del values["model"][part]
        for stage in values["stages"]:
            stage["train"] = [
                p for p in stage["train"] if p not in ("generation_head", "generation_adapter", "code_table")
            ]
    return values


def check(tiny: ModuleType, values: dict[str, Any], out: Path) -> Session:
    """Train, and compare what was saved and loaded again: tensors, answers and drawings."""
    said: list[str] = []
    trained = tiny.train(values, out, say=said.append)
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))["stages"]
    assert list(record) == ["stage1", "stage2", "stage3"]
    assert [record[name]["steps"] for name in record] == [2, 2, 2]
    model = values["model"]
    frozen = [set(record[name]["frozen_sha256"]) for name in record]
    tokenizer, encoder = {"generation_tokenizer"}, {"encoders.image"}
    assert frozen == [{"language_model"} | tokenizer | encoder, tokenizer | encoder, tokenizer]
    built, _, _ = load_checkpoint(out)
    loaded = Session(built)
    loaded.built.model.eval()
    assert tiny.differing(tiny.weights(trained.built.model), tiny.weights(built.model)) == []
    picture = tiny.picture()
    for image in (picture, None):
        answers = [s.ask(image, "what?", max_new_tokens=4) for s in (trained, loaded)]
        assert answers[0] == answers[1]
    if "generation_head" not in model:
        with pytest.raises(UserError, match="cannot draw"):
            loaded.draw(["a cat"])
        return loaded
    side = model["image_size"]
    drawn = [s.draw(["a cat"], images_per_prompt=2, sampling=Sampling(guidance=2.0), seed=1) for s in (trained, loaded)]
    for mine, theirs in zip(*drawn, strict=True):
        assert mine.image.size == (side, side)
        assert np.array_equal(np.asarray(mine.image), np.asarray(theirs.image))
        assert mine.codes.shape == (built.model.code_layout.positions, len(built.model.code_layout.codebooks))
    return loaded


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.silent_failure(9, 14)
def test_each_pair_in_each_mode(tiny: ModuleType, tmp_path: Path, encoder: str, tokenizer: str, mode: str) -> None:
    """Rows 9 and 14: no path needs the other, and no size is written by hand."""
    values = base(tiny, mode)
    before = copy.deepcopy(values)
    values["model"]["encoders"]["image"]["type"] = encoder
    values["model"]["generation_tokenizer"]["type"] = tokenizer
    words = sum(a != b for a, b in zip(leaves(before), leaves(values), strict=True))
    assert words == (encoder != "siglip") + (tokenizer != "vqgan")  # a word a part
    loaded = check(tiny, values, tmp_path / "out")
    provenance = loaded.built.provenance
    assert provenance["generation_tokenizer"]["component"] == f"{tokenizer}/{tokenizer}"
    assert provenance["encoders.image"]["component"] == f"{encoder}/{encoder}"
    RAN.add((encoder, tokenizer, mode))


@pytest.mark.parametrize(("encoder", "tokenizer"), FURTHER)
def test_each_further_part(tiny: ModuleType, tmp_path: Path, encoder: str, tokenizer: str) -> None:
    values = base(tiny, "both")
    values["model"]["encoders"]["image"]["type"] = encoder
    values["model"]["generation_tokenizer"]["type"] = tokenizer
    provenance = check(tiny, values, tmp_path / "out").built.provenance
    assert provenance["generation_tokenizer"]["component"].endswith(f"/{tokenizer}")
    assert provenance["encoders.image"]["component"].endswith(f"/{encoder}")


def leaves(values: Any) -> list[object]:
    if isinstance(values, dict):
        return [leaf for key in sorted(values) for leaf in leaves(values[key])]
    if isinstance(values, list):
        return [leaf for item in values for leaf in leaves(item)]
    return [values]


@pytest.mark.silent_failure(19)
def test_the_matrix_has_27_cells(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("keyword"):
        pytest.skip("some were left out by -k")
    assert len(cells(request)) in (0, 27)
    assert len(ENCODERS) * len(TOKENIZERS) * len(MODES) == 27


@pytest.mark.parametrize("adapter", ["mlp", "linear", "identity", "resampler"])
def test_each_adapter(tiny: ModuleType, tmp_path: Path, adapter: str) -> None:
    """The tiny encoders are as wide as the tiny language model, so that `identity` fits them too."""
    values = base(tiny, "both")
    values["model"]["adapters"]["image"]["type"] = adapter
    if adapter == "identity":  # it has no weights: the head alone trains in stage 1
        assert tiny.build(values).model.encoders["image"].width == 32
    loaded = check(tiny, values, tmp_path / "out")
    route = loaded.built.assembler.routes["image"]
    tokens = route.transform(tiny.picture()).num_tokens
    assert route.num_tokens(tokens) == (4 if adapter == "resampler" else tokens)


def test_an_adapter_that_does_not_fit_says_what_does(tiny: ModuleType) -> None:
    values = base(tiny, "both")
    values["model"]["adapters"]["image"]["type"] = "identity"
    values["model"]["encoders"]["image"]["type"] = "tokenizer_as_encoder"  # codes are 4 wide
    with pytest.raises(UserError, match=r"adapters\.image.*identity") as caught:
        tiny.build(values)
    assert "linear" in str(caught.value)


@pytest.mark.parametrize("size", [64, 48])
@pytest.mark.silent_failure(14)
def test_another_image_size_changes_the_number_of_codes(tiny: ModuleType, size: int) -> None:
    """Row 14: every size follows from the parts."""
    values = base(tiny, "both")
    values["model"]["image_size"] = size
    built = tiny.build(values)
    assert built.model.code_layout.positions == (size // 16) ** 2
    assert built.model.generation_head.codebooks == built.model.code_layout.codebooks
    (drawing,) = Session(built).draw(["x"])
    assert drawing.image.size == (size, size)


def test_an_impossible_image_size_is_told(tiny: ModuleType) -> None:
    values = base(tiny, "both")
    values["model"]["image_size"] = 40
    with pytest.raises(UserError, match=r"model\.image_size") as caught:
        tiny.build(values)
    assert "32" in str(caught.value)
    assert "48" in str(caught.value)


@pytest.mark.silent_failure(14)
def test_text_ids_and_codes_never_share_a_table(tiny: ModuleType) -> None:
    """Row 14: another tokenizer changes no id of the text, and no code is an id."""
    sizes = []
    for tokenizer in TOKENIZERS:
        values = base(tiny, "both")
        values["model"]["generation_tokenizer"]["type"] = tokenizer
        values["model"]["generation_tokenizer"]["options"] = {"codes": 128 if tokenizer == "vqgan" else 96}
        built = tiny.build(values)
        sizes.append(built.model.code_layout.codebooks)
        assert built.model.language_model.vocabulary == len(built.text) == 262
        assert built.model.code_table.tables[0].num_embeddings == built.model.code_layout.codebooks[0]
    assert sizes == [(128,), (96,), (96,)]
