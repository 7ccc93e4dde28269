"""GGUF files, made here: the language model in one, and its text tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from janus_core.errors import UserError
from janus_core.interfaces import BuildContext, SequenceLayout
from janus_core.text.tokenizer import SpecialTokens, TextTokenizer, train_byte_bpe

pytest.importorskip("transformers", reason="needs the extra transformers")
pytest.importorskip("gguf", reason="needs the extra transformers")
pytest.importorskip("accelerate", reason="needs the extra transformers")

import gguf
from transformers import AutoConfig, AutoModelForCausalLM

from janus_transformers.model import TransformersModel, build
from janus_transformers.options import TransformersOptions

WIDTH, INNER, LAYERS, HEADS, KV = 32, 64, 2, 4, 2
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
"""Hugging Face's names of a Llama block and those of GGUF."""


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_byte_bpe(["a cat on a mat, 12 keys", "the key and the cat", "what is there?"], 280)


@pytest.fixture(scope="module")
def theirs(tokenizer: Tokenizer) -> Any:
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        "llama",
        vocab_size=tokenizer.get_vocab_size() + 2,
        hidden_size=WIDTH,
        intermediate_size=INNER,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV,
        max_position_embeddings=64,
        tie_word_embeddings=True,
    )
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def paired(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows in llama.cpp's order of a head's channels, where the two of a rotated pair are neighbours."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).transpose(1, 2).reshape(weight.shape)


def write(path: Path, model: Any, tokenizer: Tokenizer, split: str = "smollm", kind: str = "gpt2") -> Path:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    tokens = [token for token, _ in vocabulary] + ["<|bos|>", "<|eos|>"]
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model(kind)
    writer.add_tokenizer_pre(split)
    writer.add_token_list(tokens)
    writer.add_token_types([1] * len(vocabulary) + [3, 3])
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_bos_token_id(len(vocabulary))
    writer.add_eos_token_id(len(vocabulary) + 1)
    state = model.state_dict()
    put = {"token_embd.weight": state["model.embed_tokens.weight"], "output_norm.weight": state["model.norm.weight"]}
    for layer in range(LAYERS):
        for name, short in NAMES.items():
            weight = state[f"model.layers.{layer}.{name}.weight"]
            heads = {"attn_q": HEADS, "attn_k": KV}.get(short)
            put[f"blk.{layer}.{short}.weight"] = paired(weight, heads) if heads else weight
    for name, tensor in put.items():
        writer.add_tensor(name, np.ascontiguousarray(tensor.numpy()))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@torch.no_grad()
def test_a_gguf_file_gives_the_model_that_was_written(theirs: Any, tokenizer: Tokenizer, tmp_path: Path) -> None:
    write(tmp_path / "tiny.gguf", theirs, tokenizer)
    rows = theirs.config.vocab_size
    options = TransformersOptions(weights="tiny.gguf")
    model = build(options, BuildContext(folder=tmp_path), vocabulary=rows + 3)
    assert isinstance(model, TransformersModel) and model.head is None
    ids = torch.randint(0, rows, (2, 9))
    hidden = model.eval()(model.embed(ids), SequenceLayout(positions=torch.arange(9).expand(2, 9)))
    expected = theirs(input_ids=ids).logits
    torch.testing.assert_close(model.text_logits(hidden)[..., :rows], expected, atol=1e-4, rtol=1e-4)
    with torch.device("meta"):
        meta = build(options, BuildContext(folder=tmp_path), vocabulary=rows + 3)
    assert isinstance(meta, TransformersModel) and list(meta.state_dict()) == list(model.state_dict())


def test_the_text_tokenizer_of_a_gguf_file(theirs: Any, tokenizer: Tokenizer, tmp_path: Path) -> None:
    special = SpecialTokens(bos="<|bos|>", eos="<|eos|>", pad="<|eos|>")
    found = TextTokenizer.load(write(tmp_path / "tiny.gguf", theirs, tokenizer), special, [])
    rows = tokenizer.get_vocab_size()
    assert (found.bos, found.eos, found.pad) == (rows, rows + 1, rows + 1)
    for text in ("the cat on the key", "  what is\n there? é", "a mat"):
        assert found.encode(text) == tokenizer.encode(text).ids
        assert found.decode(found.encode(text)) == text
    assert found.encode("12")[0] == tokenizer.token_to_id("1"), "digits stand alone"
    assert found.encode("cat<|eos|>")[-1] == found.eos and found.decode([found.eos]) == ""
    plain = TextTokenizer.load(write(tmp_path / "plain.gguf", theirs, tokenizer, "gpt-2"), special, [])
    assert plain.encode("12 keys") == tokenizer.encode("12 keys").ids


def test_text_tokenizers_that_cannot_be_read(theirs: Any, tokenizer: Tokenizer, tmp_path: Path) -> None:
    for kind, split in (("llama", "default"), ("gpt2", "qwen2")):
        path = write(tmp_path / f"{kind}.gguf", theirs, tokenizer, split, kind)
        with pytest.raises(UserError, match=f"of the kind {kind}, {split}") as caught:
            TextTokenizer.load(path, SpecialTokens(), [])
        assert "save_pretrained" in str(caught.value.remedy)
    (tmp_path / "bad.gguf").write_bytes(b"no model")
    with pytest.raises(UserError, match="bad.gguf cannot be read"):
        TextTokenizer.load(tmp_path / "bad.gguf", SpecialTokens(), [])
