"""The released models at full size, on the meta device: keys and parameters, and the memory that streaming takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from janus_core.checkpoints.janus.architecture import of_model
from janus_core.checkpoints.janus.deepseek_config import read_deepseek, write_deepseek
from janus_core.checkpoints.janus.huggingface_config import read_huggingface, write_huggingface
from janus_core.checkpoints.janus.key_table import model_layout
from janus_core.checkpoints.janus.read import model_of
from janus_core.checkpoints.layouts import to_theirs
from janus_core.checkpoints.own import unique_state
from janus_core.config.recipe import TextConfig
from janus_core.model.build import build_model

SEVEN = {"max_position_embeddings": 16384, "model_type": "llama", "num_hidden_layers": 30, "torch_dtype": "bfloat16"}
ONE = {**SEVEN, "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 24}
ONE |= {"num_attention_heads": 16, "num_key_value_heads": 16, "_attn_implementation": "flash_attention_2"}


def config(language: dict[str, Any], hidden: int) -> dict[str, Any]:
    """``config.json`` as published, language section and all its gaps."""
    projector = {"depth": 2, "n_embed": hidden, "projector_type": "mlp_gelu"}
    head = {"image_token_embed": hidden, "image_token_size": 16384, "n_embed": hidden}
    tower = {"image_size": 384, "model_name": "siglip_large_patch16_384", "select_feature": "same", "select_layer": -1}
    return {
        "model_type": "multi_modality",
        "aligner_config": {"cls": "MlpProjector", "params": {**projector, "input_dim": 1024}},
        "gen_aligner_config": {"cls": "MlpProjector", "params": {**projector, "input_dim": 8}},
        "gen_head_config": {"cls": "vision_head", "params": head},
        "gen_vision_config": {"cls": "VQ-16", "params": {"image_token_size": 16384, "n_embed": 8}},
        "vision_config": {"cls": "CLIPVisionTower", "params": tower},
        "language_config": {**language, "vocab_size": 102400},
    }


PARTS = {
    "encoders.image": (316_283_904, 316_283_904),
    "adapters.image": (6_295_552, 20_979_712),
    "generation_tokenizer": (71_883_403, 71_883_403),
    "generation_adapter": (4_214_784, 16_818_176),
    "generation_head": (37_767_168, 83_906_560),
    "code_table": (131_072, 131_072),
    "language_model": (1_652_656_128, 6_910_365_696),
}


@pytest.mark.parametrize(
    ("index", "language", "hidden", "keys", "parameters"),
    [(0, ONE, 2048, 882, 2_089_232_011), (1, SEVEN, 4096, 936, 7_420_368_523)],
    ids=["1.3B and Pro-1B", "Pro-7B"],
)
def test_full_size(index: int, language: dict[str, Any], hidden: int, keys: int, parameters: int) -> None:
    model = model_of(config(language, hidden), "deepseek")
    with torch.device("meta"):
        built = build_model(model, TextConfig(), seed=0, folder=Path("."))
    state = unique_state(built.model)
    theirs = to_theirs(model_layout(model, "deepseek"), state)
    assert len(theirs) == keys
    assert sum(parameter.numel() for parameter in built.model.parameters()) == parameters
    assert {n: sum(p.numel() for p in part.parameters()) for n, part in built.model.parts().items()} == {
        name: counts[index] for name, counts in PARTS.items()
    }
    assert theirs["vision_model.vision_tower.pos_embed"].shape == (1, 576, 1024)
    assert theirs["language_model.lm_head.weight"].shape == (102400, hidden)
    huggingface = to_theirs(model_layout(model, "huggingface"), state)
    assert len(huggingface) == keys - 14 + 96
    assert huggingface["model.vision_model.encoder.layers.23.self_attn.q_proj.weight"].shape == (1024, 1024)
    sizes, mean, std = of_model(model, 102400)
    assert read_deepseek(write_deepseek(sizes, "bfloat16")) == sizes == read_deepseek(config(language, hidden))
    tokens = {"bos": 100000, "eos": 100001, "pad": 100015, "placeholder": 100594}
    assert read_huggingface(write_huggingface(sizes, "bfloat16", tokens)) == sizes
    assert (mean, std) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


MEASURE = """
import resource, sys
from pathlib import Path
import torch
from janus_core.checkpoints.janus.read import import_checkpoint
from janus_core.checkpoints.own import load_checkpoint

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

source, out, warm = map(Path, sys.argv[1:4])
import_checkpoint(warm, out.with_name("warm"))  # imports and allocators are not the model's
load_checkpoint(out.with_name("warm"))
before = peak()
size = import_checkpoint(source, out).size
imported = peak() - before
built, _, _ = load_checkpoint(out)
total = sum(float(t.float().sum()) for t in built.model.state_dict().values())  # touch every page
print(size, imported, peak() - before)
"""


def test_memory_while_streaming(small_janus: Any, published: Any, tmp_path: Path) -> None:
    """About 200 MiB in four shards: neither the import nor the loading may hold more than 1.2 x of it."""
    shape = published.Shape(hidden=512, inner=2048, layers=8, heads=8, kv_heads=8, rows=8000, width=64)
    model = model_of(published.deepseek_config(shape), "deepseek")
    with torch.device("meta"):
        built = build_model(model, TextConfig(), seed=0, folder=Path("."))
    named = to_theirs(model_layout(model, "deepseek"), unique_state(built.model))
    state = {name: torch.rand(tensor.shape) for name, tensor in named.items()}
    source = published.write_deepseek(tmp_path / "big", state, shape, bins=4)
    command = [sys.executable, "-c", MEASURE, str(source), str(tmp_path / "ours"), str(small_janus.deepseek)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    size, imported, whole = map(int, done.stdout.split()[-3:])
    assert size > 150 * 2**20
    assert imported < 1.2 * size
    assert whole < 1.2 * size
