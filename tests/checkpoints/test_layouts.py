"""Layout records applied to state dicts: reversible bit for bit, strict, longest whole-segment prefix."""

from __future__ import annotations

import pytest
import torch

from janus_core.checkpoints.layouts import carried_keys, detect, to_ours, to_theirs
from janus_core.hookspecs import Layout, Rename, Split

LAYOUT = Layout(
    rules=(
        Rename("blocks.0", "layers.0"),
        Rename("blocks.0.norm", "layers.0.layer_norm"),
        Split("blocks.0.attn.qkv", ("layers.0.attn.q", "layers.0.attn.k", "layers.0.attn.v")),
        Rename("pos", "embeddings.position.weight", shape="squeeze"),
        Rename("proj", "out", shape="linear"),
    ),
    carried=("ring",),
    ignored=("loss", "ema_"),
    prefixes=("state_dict.", "model."),
)


def ours() -> dict[str, torch.Tensor]:
    return {
        "blocks.0.norm.weight": torch.randn(4),
        "blocks.0.mlp.weight": torch.randn(4, 4),
        "blocks.0.attn.qkv.weight": torch.randn(12, 4),
        "blocks.0.attn.qkv.bias": torch.randn(12),
        "blocks.01.norm.weight": torch.randn(4),
        "pos": torch.randn(1, 3, 4),
        "proj.weight": torch.randn(4, 4, 1, 1),
        "proj.bias": torch.randn(4),
        "ring": torch.zeros(8),
        "same.weight": torch.randn(2),
    }


def shapes(state: dict[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {key: tensor.shape for key, tensor in state.items()}


def test_round_trip_is_bit_equal_with_split_and_shape_hints() -> None:
    state = ours()
    theirs = to_theirs(LAYOUT, state)
    assert shapes(theirs)["layers.0.attn.k.weight"] == (4, 4)
    assert shapes(theirs)["embeddings.position.weight"] == (3, 4)
    assert shapes(theirs)["out.weight"] == (4, 4)
    assert shapes(theirs)["out.bias"] == (4,)
    assert "layers.0.layer_norm.weight" in theirs  # the longest match wins
    assert "blocks.01.norm.weight" in theirs  # whole segments only
    back = to_ours(LAYOUT, theirs, shapes(state))
    assert back.faults == 0
    assert back.carried == ("ring",)
    assert carried_keys(LAYOUT, state) == ("ring",)
    assert set(back.state) | {"ring"} == set(state)
    assert all(torch.equal(back.state[key], state[key]) for key in back.state)
    again = to_theirs(LAYOUT, back.state)
    assert again.keys() == theirs.keys()
    assert all(torch.equal(again[name], theirs[name]) for name in theirs)


def test_split_parts_do_not_share_memory() -> None:
    theirs = to_theirs(LAYOUT, ours())
    pointers = [theirs[f"layers.0.attn.{part}.weight"].untyped_storage().data_ptr() for part in "qkv"]
    assert len(set(pointers)) == 3


@pytest.mark.parametrize("wrapper", ["", "state_dict.", "model."])
def test_wrappers_and_ignored_prefixes(wrapper: str) -> None:
    state = ours()
    theirs = {wrapper + name: tensor for name, tensor in to_theirs(LAYOUT, state).items()}
    theirs[wrapper + "loss.discriminator.weight"] = torch.zeros(1)
    theirs[wrapper + "ema_encoder.weight"] = torch.zeros(1)
    back = to_ours(LAYOUT, theirs, shapes(state))
    assert back.faults == 0
    assert len(back.ignored) == 2
    theirs[wrapper + "lossless.weight"] = torch.zeros(1)
    assert to_ours(LAYOUT, theirs, shapes(state)).unexpected == (wrapper + "lossless.weight",)


def test_a_carried_key_that_the_file_holds_is_read() -> None:
    state = ours()
    theirs = to_theirs(LAYOUT, state) | {"ring": torch.ones(8)}
    back = to_ours(LAYOUT, theirs, shapes(state))
    assert back.carried == ()
    assert torch.equal(back.state["ring"], torch.ones(8))


def test_all_faults_are_collected() -> None:
    state = ours()
    theirs = to_theirs(LAYOUT, state)
    del theirs["layers.0.attn.k.weight"]  # a part of a split
    theirs["layers.0.mlp.weight"] = torch.zeros(2, 2)
    theirs["stranger"] = torch.zeros(1)
    back = to_ours(LAYOUT, theirs, shapes(state))
    assert back.missing == ("blocks.0.attn.qkv.weight",)
    assert set(back.unexpected) == {"stranger", "layers.0.attn.q.weight", "layers.0.attn.v.weight"}
    assert back.misshapen == {"blocks.0.mlp.weight": ((2, 2), (4, 4))}
    text = back.describe()
    assert all(word in text for word in ("blocks.0.attn.qkv.weight", "stranger", "blocks.0.mlp.weight", "[2, 2]"))


def test_unequal_parts_are_misshapen() -> None:
    state = ours()
    theirs = to_theirs(LAYOUT, state)
    theirs["layers.0.attn.k.bias"] = torch.zeros(3)
    theirs["layers.0.attn.v.bias"] = torch.zeros(5)
    assert set(to_ours(LAYOUT, theirs, shapes(state)).misshapen) == {"blocks.0.attn.qkv.bias"}


def test_our_own_names_are_not_half_accepted_as_foreign_names() -> None:
    state = ours()
    back = to_ours(LAYOUT, state, shapes(state))
    assert "blocks.0.norm.weight" in back.unexpected
    assert "blocks.0.norm.weight" in back.missing


def test_detect_takes_the_best_and_the_first_of_equals() -> None:
    state = ours()
    layouts = {"own": Layout(), "same": Layout(), "foreign": LAYOUT}
    assert detect(layouts, state, shapes(state)) == "own"
    assert detect(layouts, to_theirs(LAYOUT, state), shapes(state)) == "foreign"


@pytest.mark.parametrize(
    "rules",
    [
        (Rename("a", "x"), Rename("b", "x")),
        (Rename("a", "x"), Rename("a", "y")),
        (Rename("a", "x", shape="transpose"),),
        (Split("a", ("x",)),),
    ],
)
def test_bad_rules(rules: tuple[Rename | Split, ...]) -> None:
    with pytest.raises(ValueError, match="x"):
        to_theirs(Layout(rules=rules), {})


def test_what_cannot_be_read_back_is_not_written() -> None:
    with pytest.raises(ValueError, match="another key"):
        to_theirs(Layout(rules=(Rename("a", "b"),)), {"a": torch.zeros(1), "b": torch.zeros(1)})
    with pytest.raises(ValueError, match="equal parts"):
        to_theirs(Layout(rules=(Split("a", ("x", "y")),)), {"a": torch.zeros(3)})
    with pytest.raises(ValueError, match="leading axis"):
        to_theirs(Layout(rules=(Rename("a", "x", shape="squeeze"),)), {"a": torch.zeros(3)})
    with pytest.raises(ValueError, match="1x1"):
        to_theirs(Layout(rules=(Rename("a", "x", shape="linear"),)), {"a": torch.zeros(2, 2, 3, 3)})
