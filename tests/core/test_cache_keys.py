"""Row 15: whatever decides an entry is in its key; a changed weight, option, version, transform or pixel misses."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import janus_core.cache.space as space_module
from janus_core.cache.raw import raw_digest
from janus_core.cache.space import Space, space_of
from janus_core.errors import UserError

Values = dict[str, Any]


def values(tiny: ModuleType, encoder: str = "siglip") -> Values:
    found: Values = tiny.recipe("both", encoder=encoder, tokenizer="patch_vq")
    return found


def spaces(tiny: ModuleType, values: Values, change: Callable[[Any], None] | None = None, **how: str) -> dict[str, str]:
    """The ids of the features' and of the codes' space."""
    built, recipe = tiny.build(values), tiny.validated(values)
    if change is not None:
        with torch.no_grad():
            change(built)
    how = {"precision": "32-true", "device": "cpu"} | how
    found = {}
    for role, name, transform in (
        ("features", "encoders.image", built.transforms["image"]),
        ("codes", "generation_tokenizer", built.target_transform),
    ):
        found[role] = space_of(role, name, built.model.parts(), recipe.model, transform, **how).id  # type: ignore[arg-type]
    return found


def changed(first: dict[str, str], second: dict[str, str]) -> set[str]:
    return {role for role in first if first[role] != second[role]}


def test_the_same_model_has_the_same_spaces_and_the_roles_differ(tiny: ModuleType) -> None:
    first = spaces(tiny, values(tiny))
    assert first == spaces(tiny, values(tiny))
    assert len(set(first.values())) == 2


def one_weight(part: str) -> Callable[[Any], None]:
    def change(built: Any) -> None:
        parameter = next(built.model.parts()[part].parameters())
        flat = parameter.view(-1)
        flat[0] = torch.nextafter(flat[0], torch.tensor(9.0))  # the smallest change there is

    return change


def a_buffer(built: Any) -> None:
    built.model.parts()["encoders.image"].register_buffer("extra", torch.ones(1))


def half(built: Any) -> None:
    built.model.parts()["encoders.image"].half()


@pytest.mark.silent_failure(15)
@pytest.mark.parametrize(
    ("change", "misses"),
    [
        (one_weight("encoders.image"), {"features"}),
        (one_weight("generation_tokenizer"), {"codes"}),
        (one_weight("language_model"), set()),
        (one_weight("adapters.image"), set()),
        (a_buffer, {"features"}),
        (half, {"features"}),
        (lambda built: setattr(built.transforms["image"], "digest", "other"), {"features"}),
        (lambda built: setattr(built.transforms["image"], "size", 8), set()),  # the digest is what counts
    ],
    ids=["weight", "code weight", "other part", "adapter", "buffer", "dtype", "transform", "digest alone"],
)
def test_weights_and_transform(tiny: ModuleType, change: Callable[[Any], None], misses: set[str]) -> None:
    assert changed(spaces(tiny, values(tiny)), spaces(tiny, values(tiny), change)) == misses


@pytest.mark.parametrize(
    ("path", "value", "misses"),
    [
        ("encoders.image.options", {"layer": -2, "norm": True}, {"features"}),
        ("encoders.image.options", {"pool": 2}, {"features"}),
        ("encoders.image.options", {"resize": "pad"}, {"features"}),
        ("encoders.image.options", {"mean": [0.4, 0.5, 0.5]}, {"features"}),
        ("encoders.image.type", "eva_clip", {"features"}),
        ("generation_tokenizer.type", "vqgan", {"codes"}),
        ("image_size", 48, {"codes"}),
        ("adapters.image.type", "linear", set()),
    ],
    ids=["layer", "pool", "resize", "mean", "encoder", "tokenizer", "image size", "adapter"],
)
def test_options(tiny: ModuleType, path: str, value: Any, misses: set[str]) -> None:
    before, after = values(tiny), values(tiny)
    *steps, last = path.split(".")
    place = after["model"]
    for step in steps:
        place = place[step]
    place[last] = value
    if path == "adapters.image.type":
        place.pop("preset", None)
    found = changed(spaces(tiny, before), spaces(tiny, after))
    if path in ("image_size", "generation_tokenizer.type"):
        found -= {"features"}  # of no interest here
    assert found == misses


@pytest.mark.parametrize("how", [{"precision": "bf16-mixed"}, {"device": "cuda"}])
def test_what_computes_is_in_the_key(tiny: ModuleType, how: dict[str, str]) -> None:
    assert changed(spaces(tiny, values(tiny)), spaces(tiny, values(tiny), **how)) == {"features", "codes"}


@pytest.mark.parametrize("field", ["version", "distribution", "plugin"])
def test_provenance_is_in_the_key(tiny: ModuleType, monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    before = spaces(tiny, values(tiny))
    former = space_module.choose

    def choose(*arguments: Any) -> Any:
        chosen = former(*arguments)
        return replace(chosen, component=replace(chosen.component, **{field: "other"}))

    monkeypatch.setattr(space_module, "choose", choose)
    assert changed(before, spaces(tiny, values(tiny))) == {"features", "codes"}


def test_the_libraries_that_a_component_needs_are_in_the_key(tiny: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    before = spaces(tiny, values(tiny))
    former = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "999" if name == "timm" else former(name))
    assert changed(before, spaces(tiny, values(tiny))) == {"features"}


def test_the_parts_that_a_part_holds_are_in_its_key(tiny: ModuleType) -> None:
    """A tokenizer that serves as encoder by ``ref``: its options count, although the encoder's own only name it."""
    shared = values(tiny, "tokenizer_as_encoder")
    built, recipe = tiny.build(shared), tiny.validated(shared)
    how = {"precision": "32-true", "device": "cpu"}
    space = space_of("features", "encoders.image", built.model.parts(), recipe.model, built.transforms["image"], **how)
    assert space.facts["holds"]["generation_tokenizer"]["component"] == "patch_vq/patch_vq"
    before = spaces(tiny, shared)
    assert len(set(before.values())) == 2
    assert changed(before, spaces(tiny, shared, one_weight("generation_tokenizer"))) == {"features", "codes"}


def test_every_fact_of_a_space_changes_its_id_and_its_keys(tiny: ModuleType) -> None:
    built, recipe = tiny.build(values(tiny)), tiny.validated(values(tiny))
    space = space_of(
        "features",
        "encoders.image",
        built.model.parts(),
        recipe.model,
        built.transforms["image"],
        precision="32-true",
        device="cpu",
    )
    assert len(space.facts) >= 13
    picture = tiny.picture()
    for name in space.facts:
        other = Space.of({**space.facts, name: "another"})
        assert other.id != space.id, name
        assert other.key(picture) != space.key(picture), name
    assert pickle.loads(pickle.dumps(space)) == space


# -- raw inputs --------------------------------------------------------------------------------------------------------


@dataclass
class Sound:
    samples: np.ndarray[Any, Any]
    rate: int


@dataclass
class Noise:
    samples: np.ndarray[Any, Any]
    rate: int


def palette(colours: list[int]) -> Image.Image:
    picture = Image.new("P", (2, 2), 1)
    picture.putpalette(colours)
    return picture


ONES = np.ones(4, np.float32)
RAWS: list[Any] = [
    Image.new("RGB", (4, 2)),
    Image.new("RGB", (2, 4)),
    Image.new("RGB", (4, 2), (0, 0, 1)),
    Image.new("L", (12, 2)),
    Image.new("YCbCr", (4, 2), (0, 0, 0)),
    palette([0, 0, 0, 1, 2, 3]),
    palette([0, 0, 0, 3, 2, 1]),
    b"",
    b"ab",
    (b"ab",),
    (b"a", b"b"),
    (b"ab", b""),
    [(b"a",), b"b"],
    ONES,
    ONES.reshape(2, 2),
    ONES.astype(np.float64),
    ONES.view(np.int32),
    torch.ones(4),
    torch.ones(2, 2),
    torch.ones(4, dtype=torch.float16),
    None,
    0,
    0.0,
    -0.0,
    False,
    {},
    {"a": b"b"},
    {"b": b"a"},
    {"a": b"b", "c": None},
    Sound(ONES, 8),
    Sound(ONES, 16),
    Noise(ONES, 8),
]


def test_inputs_that_differ_have_different_hashes() -> None:
    found = [raw_digest(raw) for raw in RAWS]
    assert len(set(found)) == len(RAWS) >= 30
    assert found == [raw_digest(copy.deepcopy(raw)) for raw in RAWS]


def test_a_single_pixel_counts(tiny: ModuleType) -> None:
    picture = tiny.picture()
    other = picture.copy()
    red, green, blue = other.getpixel((39, 31))
    other.putpixel((39, 31), (red, green, blue ^ 1))
    assert raw_digest(picture) != raw_digest(other)
    assert raw_digest(picture) == raw_digest(picture.copy())


def test_the_order_in_memory_does_not_count() -> None:
    array = np.arange(6.0).reshape(2, 3)
    assert raw_digest(array) == raw_digest(np.asfortranarray(array))
    assert raw_digest({"a": 1, "b": 2}) == raw_digest({"b": 2, "a": 1})
    assert raw_digest(torch.ones(2, 3).T) == raw_digest(torch.ones(3, 2))


@pytest.mark.parametrize("raw", ["a.png", Path("a.png"), object(), np.array([object()]), {1: 2}, (b"a", "b"), Sound])
def test_what_has_no_content_is_refused(raw: Any) -> None:
    """A path above all: the file may change under its name."""
    with pytest.raises(UserError, match="cannot be cached") as caught:
        raw_digest(raw)
    assert "run.cache" in str(caught.value.remedy)
