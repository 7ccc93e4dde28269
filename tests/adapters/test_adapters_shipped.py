"""The four shipped adapters: number of tokens, padding, gradients, names, errors."""

from __future__ import annotations

import importlib
import subprocess
import sys
from typing import Any

import pytest
import torch

from janus_adapters.plugin import janus_adapters
from janus_core.interfaces import BuildContext, Features

torch.set_num_threads(1)
SPECS = {spec.name: spec for spec in janus_adapters()}
NAMES = ["mlp", "linear", "identity", "resampler"]


def load(reference: str) -> Any:
    module, _, attribute = reference.partition(":")
    return getattr(importlib.import_module(module), attribute)


def make(name: str, in_width: int = 12, out_width: int = 12, preset: str = "tiny", **options: object) -> Any:
    spec = SPECS[name]
    torch.manual_seed(0)
    chosen = load(spec.options)(**{**spec.presets[preset], **options})
    return load(spec.factory)(chosen, BuildContext(), in_width=in_width, out_width=out_width)


def test_four_adapters_are_declared_without_torch() -> None:
    assert list(SPECS) == NAMES
    code = "import sys, janus_adapters.plugin, janus_adapters.options; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    for spec in SPECS.values():
        model = load(spec.options)
        assert all(field.description for field in model.model_fields.values())
        for preset in spec.presets.values():
            model(**preset)


@pytest.mark.parametrize("n", [0, 1, 5, 576])
@pytest.mark.parametrize("name", NAMES)
def test_num_tokens_equals_a_real_forward(name: str, n: int) -> None:
    adapter = make(name)
    for mask in (None, torch.ones(2, n, dtype=torch.bool)):
        out = adapter(Features(torch.randn(2, n, 12), mask))
        assert out.tokens.shape == (2, adapter.num_tokens(n), 12)
        assert out.mask is None or out.mask.shape == out.tokens.shape[:2]
        assert bool(out.tokens.isfinite().all())
    assert adapter(Features(torch.randn(0, n, 12))).tokens.shape == (0, adapter.num_tokens(n), 12)


@pytest.mark.parametrize("name", NAMES)
def test_padding_and_neighbours_change_no_result(name: str) -> None:
    adapter = make(name)
    short, long = torch.randn(1, 3, 12), torch.randn(1, 7, 12)
    batch = torch.cat((torch.cat((short, torch.full((1, 4, 12), 1e4)), dim=1), long))
    batch[0, -1] = float("nan")
    mask = torch.arange(7)[None] < torch.tensor([3, 7])[:, None]
    out = adapter(Features(batch, mask))
    keep = adapter.num_tokens(3)
    torch.testing.assert_close(out.tokens[:1, :keep], adapter(Features(short)).tokens, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(out.tokens[1:], adapter(Features(long)).tokens, atol=1e-6, rtol=1e-6)


def test_mask_and_positions_are_carried_where_tokens_keep_their_place() -> None:
    mask, positions = torch.tensor([[True, True, False]]), torch.zeros(1, 3, 2)
    for name in ("mlp", "linear", "identity"):
        out = make(name)(Features(torch.randn(1, 3, 12), mask, positions))
        assert out.mask is mask
        assert out.positions is positions
    out = make("resampler")(Features(torch.randn(1, 3, 12), mask, positions))
    assert (out.mask, out.positions) == (None, None)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_the_input_and_every_parameter(name: str) -> None:
    adapter = make(name)
    tokens = torch.randn(2, 5, 12, requires_grad=True)
    out = adapter(Features(tokens, torch.tensor([[True] * 5, [True] * 3 + [False] * 2]))).tokens
    (out * torch.randn_like(out)).sum().backward()
    assert tokens.grad is not None
    assert bool((tokens.grad[0].abs().sum(-1) > 0).all())
    for key, parameter in adapter.named_parameters():
        assert parameter.grad is not None, key
        assert bool(parameter.grad.abs().sum() > 0), key
    if name == "resampler":
        assert bool((tokens.grad[1, 3:] == 0).all())


def test_mlp_is_the_projector_of_janus() -> None:
    adapter = make("mlp", 5, 8)
    state = adapter.state_dict()
    assert {k: tuple(v.shape) for k, v in state.items()} == {
        "layers.0.weight": (8, 5),
        "layers.0.bias": (8,),
        "layers.2.weight": (8, 8),
        "layers.2.bias": (8,),
    }
    x = torch.randn(2, 3, 5)
    inner = x @ state["layers.0.weight"].T + state["layers.0.bias"]
    inner = inner * 0.5 * (1 + torch.erf(inner / 2**0.5))
    expected = inner @ state["layers.2.weight"].T + state["layers.2.bias"]
    torch.testing.assert_close(adapter(Features(x)).tokens, expected)
    with torch.device("meta"):
        sizes = [sum(p.numel() for p in make("mlp", i, o).parameters()) for i, o in [(1024, 2048), (8, 4096)]]
    assert sizes == [6_295_552, 16_818_176]


def test_layouts_name_the_keys_of_both_formats() -> None:
    rules = {rule.ours: rule.theirs for rule in SPECS["mlp"].layouts["huggingface"].rules}
    from transformers.models.janus.configuration_janus import JanusVisionConfig
    from transformers.models.janus.modeling_janus import JanusVisionAlignerMLP

    theirs = JanusVisionAlignerMLP(JanusVisionConfig(hidden_size=5, projection_dim=8, depth=4, hidden_act="gelu"))
    ours = make("mlp", 5, 8, depth=4)
    renamed = {}
    for key, value in ours.state_dict().items():
        prefix, _, kind = key.rpartition(".")
        renamed[f"{rules[prefix]}.{kind}"] = value
    theirs.load_state_dict(renamed, strict=True)
    x = torch.randn(2, 3, 5)
    torch.testing.assert_close(theirs(x), ours(Features(x)).tokens)
    assert SPECS["mlp"].layouts["deepseek"].rules == ()


def test_errors_name_the_value_and_the_remedy() -> None:
    with pytest.raises(ValueError, match="8 into 12.*linear or mlp"):
        make("identity", 8, 12)
    with pytest.raises(ValueError, match=r"heads 5 .* width 12.*1, 2, 3, 4, 6, 12"):
        make("resampler", heads=5)
    for name in NAMES:
        with pytest.raises(ValueError, match=r"\(2, 3, 7\).*12"):
            make(name)(Features(torch.zeros(2, 3, 7)))
        with pytest.raises(ValueError, match=r"mask has shape \(2, 4\)"):
            make(name)(Features(torch.zeros(2, 3, 12), torch.ones(2, 4, dtype=torch.bool)))
    with pytest.raises(ValueError, match="depht"):
        make("mlp", depht=3)
