"""Reading Hugging Face Llama weights: exact, strict, sharded, and every error in one message."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from janus_core.interfaces import BuildContext
from janus_llama.model import Llama, build
from janus_llama.options import LlamaOptions

torch.set_num_threads(1)
SIZES = {"hidden_size": 32, "intermediate_size": 48, "layers": 2, "heads": 4, "kv_heads": 2}


def make(vocabulary: int = 30, folder: Path = Path("."), **options: object) -> Llama:
    torch.manual_seed(5)
    built = build(LlamaOptions(**({"weights": "none"} | SIZES | options)), BuildContext(folder), vocabulary=vocabulary)
    assert isinstance(built, Llama)
    return built


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    """A folder written by transformers itself, in three shards."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=30,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=False,
    )
    theirs = LlamaForCausalLM(config)
    theirs.save_pretrained(tmp_path / "hf", max_shard_size="20KB")
    assert (tmp_path / "hf" / "model.safetensors.index.json").is_file()
    return tmp_path, theirs.state_dict()


def test_a_sharded_folder_is_read_exactly(saved: tuple[Path, dict[str, torch.Tensor]]) -> None:
    folder, expected = saved
    ours = make(folder=folder, weights="hf").state_dict()
    assert ours.keys() == expected.keys()
    assert all(torch.equal(ours[key], expected[key]) for key in ours)


def test_skip_weights_reads_nothing() -> None:
    options = LlamaOptions(weights="not/there", **SIZES)
    build(options, BuildContext(skip_weights=True), vocabulary=30)
    with pytest.raises(FileNotFoundError, match="not/there.*weights: none"):
        build(options, BuildContext(), vocabulary=30)


def test_one_file_with_old_frequencies_and_fewer_rows(tmp_path: Path) -> None:
    source = make().state_dict()
    save_file({**source, "model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)}, tmp_path / "w.safetensors")
    larger = make(vocabulary=35, folder=tmp_path, weights="w.safetensors").state_dict()
    for key, value in source.items():
        assert torch.equal(larger[key][: len(value)], value)
    assert 0 < float(larger["lm_head.weight"][30:].std()) < 0.1
    with pytest.raises(ValueError, match="30 rows in the file, but the text vocabulary has 25.*to 30"):
        make(vocabulary=25, folder=tmp_path, weights="w.safetensors")


def test_all_wrong_keys_and_settings_in_one_error(saved: tuple[Path, dict[str, torch.Tensor]]) -> None:
    folder, state = saved
    broken = {k: v.contiguous() for k, v in state.items() if k != "model.norm.weight"}
    broken["model.extra"] = torch.ones(1)
    broken["model.layers.0.mlp.up_proj.weight"] = torch.ones(3, 32)
    config = json.loads((folder / "hf" / "config.json").read_text())
    (folder / "bad").mkdir()
    (folder / "bad" / "config.json").write_text(json.dumps(config | {"num_attention_heads": 8, "rms_norm_eps": 1e-5}))
    save_file(broken, folder / "bad" / "model.safetensors")
    with pytest.raises(ValueError, match="does not fit") as caught:
        make(folder=folder, weights="bad")
    for words in (
        "missing: model.norm.weight",
        "unknown: model.extra",
        "(3, 32) in the file, (48, 32)",
        "heads is 8",
        "rms_norm_eps is 1e-05",
    ):
        assert words in str(caught.value)


def test_an_incomplete_config_is_completed_with_llama_defaults(tmp_path: Path) -> None:
    save_file(make().state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", "num_hidden_layers": 2}))
    with pytest.raises(ValueError, match="hidden_size is 4096 in config.json, 32 here"):
        make(folder=tmp_path, weights="model.safetensors")


def test_tied_weights(tmp_path: Path) -> None:
    source = make(tied=True).state_dict()
    assert "lm_head.weight" not in source
    save_file(source, tmp_path / "tied.safetensors")
    save_file({**source, "lm_head.weight": source["model.embed_tokens.weight"].clone()}, tmp_path / "both.safetensors")
    save_file({**source, "lm_head.weight": torch.zeros(30, 32)}, tmp_path / "parted.safetensors")
    for name in ("tied", "both"):
        assert torch.equal(
            make(folder=tmp_path, weights=f"{name}.safetensors", tied=True).model.embed_tokens.weight,
            source["model.embed_tokens.weight"],
        )
    with pytest.raises(ValueError, match="set tied to false"):
        make(folder=tmp_path, weights="parted.safetensors", tied=True)
    with pytest.raises(ValueError, match="missing: lm_head.weight"):
        make(folder=tmp_path, weights="tied.safetensors")
