"""The language model ``llama`` against transformers, against itself unpacked, uncached and alone."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import partial

import pytest
import torch
from pydantic import ValidationError

from janus_core.interfaces import BuildContext, SequenceLayout
from janus_llama.model import Llama, build
from janus_llama.options import LlamaOptions
from janus_llama.plugin import janus_language_models

torch.set_num_threads(1)
SPEC = next(iter(janus_language_models()))
SHAPES = [
    {"hidden_size": 32, "intermediate_size": 48, "layers": 2, "heads": 2},
    {"hidden_size": 48, "intermediate_size": 64, "layers": 3, "heads": 6, "kv_heads": 2, "rms_norm_eps": 1e-3},
    {"hidden_size": 64, "intermediate_size": 80, "layers": 2, "heads": 4, "kv_heads": 1, "rope_theta": 500.0},
    {"hidden_size": 32, "intermediate_size": 48, "layers": 2, "heads": 4, "kv_heads": 2, "tied": True},
]


def make(vocabulary: int = 50, seed: int = 0, **options: object) -> Llama:
    torch.manual_seed(seed)
    model = build(LlamaOptions(weights="none", **(SHAPES[1] | options)), BuildContext(), vocabulary=vocabulary)
    assert isinstance(model, Llama)
    with torch.no_grad():  # away from the small initial values, where every model is nearly linear
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.2 + (parameter.dim() == 1))
    return model


def rows(model: Llama, count: int, tokens: int, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, tokens, model.width, generator=generator)


def plain(count: int, tokens: int) -> SequenceLayout:
    return SequenceLayout(positions=torch.arange(tokens).expand(count, tokens))


@pytest.mark.parametrize("shape", SHAPES)
def test_hidden_states_and_logits_equal_transformers(shape: dict[str, object]) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    model = make(**shape)
    options = model.options
    config = LlamaConfig(
        vocab_size=50,
        hidden_size=options.hidden_size,
        intermediate_size=options.intermediate_size,
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        num_key_value_heads=options.key_value_heads,
        rms_norm_eps=options.rms_norm_eps,
        rope_parameters={"rope_type": "default", "rope_theta": options.rope_theta},
        tie_word_embeddings=options.tied,
        attn_implementation="eager",
    )
    theirs = LlamaForCausalLM(config).eval()
    absent = theirs.load_state_dict(model.state_dict(), strict=not options.tied)
    assert absent.missing_keys == (["lm_head.weight"] if options.tied else [])
    ids = torch.randint(0, 50, (3, 17))
    with torch.no_grad():
        expected = theirs(input_ids=ids, output_hidden_states=True)
        hidden = model(model.embed(ids), plain(3, 17))
    torch.testing.assert_close(hidden, expected.hidden_states[-1], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(model.text_logits(hidden), expected.logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("lengths", [(5,), (3, 3, 3), (1, 4, 4, 9, 2, 2, 1), (6, 2)])
def test_packed_equals_separate_with_gradients(lengths: tuple[int, ...]) -> None:
    model = make().double()  # in float32 kernels of other row counts already differ by 1e-6
    embeds = rows(model, 1, sum(lengths)).double().requires_grad_()
    weights = rows(model, 1, sum(lengths), seed=2)
    positions = torch.cat([torch.arange(n) for n in lengths])[None]
    packed = model(embeds, SequenceLayout(positions=positions, lengths=lengths))
    separate = torch.cat([model(part, plain(1, part.shape[1])) for part in embeds.split(lengths, dim=1)], dim=1)
    torch.testing.assert_close(packed, separate, atol=1e-10, rtol=1e-10)
    wanted = [embeds, *(p for n, p in model.named_parameters() if not n.startswith(("model.embed", "lm_head")))]
    ours = torch.autograd.grad((packed * weights).sum(), wanted)
    theirs = torch.autograd.grad((separate * weights).sum(), wanted)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-9)


def test_packed_samples_do_not_see_each_other() -> None:
    model = make()
    embeds = rows(model, 1, 9)
    layout = SequenceLayout(positions=torch.tensor([[0, 1, 2, 3, 0, 1, 2, 3, 4]]), lengths=(4, 5))
    before = model(embeds, layout)
    embeds[:, :4] += 1.0
    after = model(embeds, layout)
    assert torch.equal(before[:, 4:], after[:, 4:])
    assert not torch.allclose(before[:, :4], after[:, :4])


@torch.no_grad()
def test_cached_prefill_with_padding_and_decode_equal_the_full_forward() -> None:
    model = make()
    prompts, steps = (4, 9, 1), 5
    embeds = [rows(model, 1, n + steps, seed=n) for n in prompts]
    full = [model(row, plain(1, row.shape[1])) for row in embeds]
    cache = model.new_cache(3, max(prompts) + steps)
    batch = torch.full((3, max(prompts), model.width), 7.0)
    for row, n in enumerate(prompts):
        batch[row, :n] = embeds[row][0, :n]
    hidden = model(batch, plain(3, max(prompts)), cache)
    for row, n in enumerate(prompts):
        torch.testing.assert_close(hidden[row, :n], full[row][0, :n], atol=1e-5, rtol=1e-5)
    for step in range(steps):
        positions = torch.tensor(prompts)[:, None] + step
        token = torch.stack([embeds[row][0, n + step] for row, n in enumerate(prompts)])[:, None]
        hidden = model(token, SequenceLayout(positions=positions), cache)
        expected = torch.stack([full[row][0, n + step] for row, n in enumerate(prompts)])
        torch.testing.assert_close(hidden[:, 0], expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("chunks", [(1,) * 12, (7, 1, 1, 1, 1, 1), (3, 4, 5), (12,)])
def test_any_cutting_of_a_row_gives_the_same_states(chunks: tuple[int, ...]) -> None:
    model = make()
    embeds = rows(model, 2, 12)
    expected = model(embeds, plain(2, 12))
    cache, start, got = model.new_cache(2, 12), 0, []
    for size in chunks:
        positions = torch.arange(start, start + size).expand(2, size)
        got.append(model(embeds[:, start : start + size], SequenceLayout(positions=positions), cache))
        start += size
    torch.testing.assert_close(torch.cat(got, dim=1), expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_decode_at_one_position_makes_no_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    from janus_llama import attention

    model = make()
    cache = model.new_cache(2, 64)
    model(rows(model, 2, 6), plain(2, 6), cache)
    calls = []
    real = attention.F.scaled_dot_product_attention

    def spy(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, **kwargs: object) -> torch.Tensor:
        calls.append((k.shape[2], kwargs["attn_mask"], kwargs["is_causal"]))
        return real(q, k, v, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(attention.F, "scaled_dot_product_attention", spy)
    model(rows(model, 2, 1), SequenceLayout(positions=torch.full((2, 1), 6)), cache)
    assert calls == [(7, None, False)] * 3


def test_resize_keeps_rows_and_draws_the_others() -> None:
    model = make(vocabulary=50)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    weight, state = model.model.embed_tokens.weight, torch.get_rng_state()
    model.resize_vocabulary(50)
    assert model.model.embed_tokens.weight is weight
    assert torch.equal(torch.get_rng_state(), state)
    model.resize_vocabulary(4050)
    for key in ("model.embed_tokens.weight", "lm_head.weight"):
        weight = model.state_dict()[key]
        assert weight.shape == (4050, 48)
        assert torch.equal(weight[:50], before[key])
        assert abs(float(weight[50:].std()) - 0.02) < 0.001
    assert model.vocabulary == 4050
    assert model.text_logits(model.embed(torch.tensor([4049]))).shape == (1, 4050)
    model.resize_vocabulary(7)
    assert torch.equal(model.model.embed_tokens.weight, before["model.embed_tokens.weight"][:7])
    tied = make(**SHAPES[3])
    tied.resize_vocabulary(60)
    assert tied.text_logits(torch.zeros(2, 32)).shape == (2, 60)


def test_every_row_of_the_embedding_gets_a_gradient() -> None:
    model = make()
    hidden = model(model.embed(torch.arange(50)[None]), plain(1, 50))
    model.text_logits(hidden).square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in model.parameters())
    assert bool((model.model.embed_tokens.weight.grad.abs().sum(-1) > 0).all())


@pytest.mark.parametrize(("preset", "count"), [("janus_1_3b", 1_652_656_128), ("janus_pro_7b", 6_910_365_696)])
def test_parameter_counts_on_the_meta_device(preset: str, count: int) -> None:
    with torch.device("meta"):
        model = build(LlamaOptions(**SPEC.presets[preset], weights="none"), BuildContext(), vocabulary=102400)
        assert isinstance(model, Llama)
        assert sum(p.numel() for p in model.parameters()) == count
        out = model(torch.empty(1, 7, model.width), SequenceLayout(torch.empty(1, 7, dtype=torch.int64), (3, 4)))
    assert out.shape == (1, 7, model.width)
    assert out.is_meta
    assert len(model.blocks()) == len(model.model.layers)


@torch.no_grad()
def test_bfloat16_follows_float32() -> None:
    torch.manual_seed(0)
    model = build(LlamaOptions(**SPEC.presets["tiny"]), BuildContext(), vocabulary=20)
    assert isinstance(model, Llama)
    embeds = rows(model, 2, 40) * 0.02
    expected = model(embeds, plain(2, 40))
    model.bfloat16()
    cache = model.new_cache(2, 40)
    assert cache.keys[0].dtype is torch.bfloat16
    got = model(embeds.bfloat16(), plain(2, 40), cache)
    assert got.dtype is torch.bfloat16
    assert float((got - expected).abs().max()) < 0.05 * float(expected.abs().max())


def test_the_same_seed_gives_the_same_model_and_the_presets_build() -> None:
    for preset, spread in (("tiny", 0.02), ("quickstart", 0.08)):
        made = []
        for _ in range(2):
            torch.manual_seed(3)
            made.append(build(LlamaOptions(**SPEC.presets[preset]), BuildContext(), vocabulary=30))
        first, second = (m.state_dict() for m in made if isinstance(m, Llama))
        assert all(torch.equal(first[k], second[k]) for k in first)
        assert abs(float(first["model.layers.0.mlp.up_proj.weight"].std()) - spread) < 0.1 * spread
        assert bool((first["model.norm.weight"] == 1).all())


def test_checkpointed_blocks_give_the_same_gradients() -> None:
    from torch.utils.checkpoint import checkpoint

    grads = []
    for saving in (False, True):
        model = make()
        for block in model.blocks() if saving else ():
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)  # type: ignore[method-assign]
        layout = SequenceLayout(torch.tensor([[0, 1, 2, 0, 1]]), (3, 2))
        model(rows(model, 1, 5), layout).square().sum().backward()
        grads.append(model.model.layers[0].self_attn.q_proj.weight.grad)
    torch.testing.assert_close(grads[0], grads[1])


def test_autocast_trains_packed_and_decodes_from_a_float32_cache() -> None:
    model = make()
    embeds = rows(model, 1, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        packed = model(embeds, SequenceLayout(torch.tensor([[0, 1, 2, 3, 0, 1, 2, 3]]), (4, 4)))
        packed.float().square().mean().backward()
        with torch.no_grad():
            cache = model.new_cache(1, 8)
            start = model(embeds[:, :4], plain(1, 4), cache)
            after = model(embeds[:, 4:5], SequenceLayout(torch.tensor([[4]])), cache)
            whole = model(embeds[:, :5], plain(1, 5))
    torch.testing.assert_close(start, packed[:, :4], atol=0.1, rtol=0.1)
    torch.testing.assert_close(after, whole[:, 4:], atol=0.1, rtol=0.1)
    assert all(p.grad is not None for p in model.model.layers.parameters())


def test_layouts_that_cannot_be_are_refused_with_a_remedy() -> None:
    model = make(max_positions=16)
    embeds = rows(model, 1, 6)
    positions = torch.arange(6)[None]
    for layout, cache, words in [
        (SequenceLayout(positions[:, :5]), None, ["[1, 6", "(1, 5)"]),
        (SequenceLayout(positions, (2, 3)), None, ["6", "5"]),
        (SequenceLayout(positions, (6, 0)), None, ["positive"]),
        (SequenceLayout(positions, ()), None, ["positive"]),
        (SequenceLayout(positions, (6,)), model.new_cache(1, 8), ["cache", "None"]),
        (SequenceLayout(positions), model.new_cache(2, 8), ["2 rows", "new_cache(1"]),
        (SequenceLayout(positions + 3), model.new_cache(1, 8), ["3 … 8", "0 … 7"]),
    ]:
        with pytest.raises(ValueError, match=re.escape(words[0])) as caught:
            model(embeds, layout, cache)
        assert all(word in str(caught.value) for word in words)
    with pytest.raises(ValueError, match="max_positions 16"):
        model(rows(model, 1, 17), plain(1, 17))
    with pytest.raises(ValueError, match="max_positions 16"):
        model.new_cache(1, 17)
    with pytest.raises(TypeError, match="new_cache"):
        model(embeds, SequenceLayout(positions), object())


def test_options_refuse_what_cannot_be() -> None:
    for wrong, word in [
        ({"hidden_size": 50}, "48"),
        ({"kv_heads": 4}, "1, 2, 3, 6"),
        ({"hidden_size": 42, "heads": 6}, "48"),
        ({"hiden_size": 3}, "hiden_size"),
    ]:
        with pytest.raises(ValidationError, match=word):
            LlamaOptions(weights="none", **(SHAPES[1] | wrong))
    with pytest.raises(ValidationError, match="weights"):
        LlamaOptions(**SHAPES[0])
    assert all(field.description for field in LlamaOptions.model_fields.values())


def test_listing_imports_no_torch() -> None:
    code = "import sys, janus_llama.plugin, janus_llama.options; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
