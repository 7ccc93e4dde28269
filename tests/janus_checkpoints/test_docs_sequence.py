"""The commands of docs/janus_checkpoints.md, typed as they stand, on a tiny checkpoint."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from janus_core.cli import main
from janus_core.config.load import load
from janus_core.config.recipe import Recipe

PAGE = Path(__file__).resolve().parents[2] / "docs" / "janus_checkpoints.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_sequence(small_janus: Any, published: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = dict(BLOCK.findall(PAGE.read_text(encoding="utf-8")))
    commands = [line for line in blocks["bash"].splitlines() if line.strip()]
    assert len(commands) >= 12
    monkeypatch.chdir(tmp_path)
    state = {name: tensor.bfloat16() for name, tensor in small_janus.deepseek_state.items()}
    published.write_deepseek(tmp_path / "Janus-Pro-1B", state, small_janus.shape, bins=1)
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("cat.png")
    mask = np.zeros((30, 40), dtype=np.uint8)
    mask[10:20, 15:25] = 255
    Image.fromarray(mask).save("mask.png")
    turns = [{"from": "human", "value": "<image>\nwhat?"}, {"from": "gpt", "value": "a cat"}]
    Path("conversations.json").write_text(json.dumps([{"image": "cat.png", "conversations": turns}]))
    Path("captions.jsonl").write_text(json.dumps({"image": "cat.png", "caption": "a red cat"}) + "\n")
    Path("tune.yaml").write_text(blocks["yaml"])
    for line in commands:
        words = shlex.split(line)
        assert words[0] == "janus"
        assert main(words[1:]) == 0, line
    for name in ("red.png", "hat.png", "snow.png", "tuned.png"):
        assert Image.open(name).size == (16, 16)
    assert load(Recipe, Path("tune.yaml")).lora is not None
    before, after = state, published.tensors(tmp_path / "tuned-deepseek")
    changed = published.differing(before, after)
    assert any(name.startswith("language_model.model.layers") for name in changed)
    assert not any(name.startswith(("gen_vision_model", "vision_model")) for name in changed)
    from transformers import JanusForConditionalGeneration

    model, report = JanusForConditionalGeneration.from_pretrained("tuned-hf", output_loading_info=True)
    assert not report["missing_keys"]
    assert yaml.safe_load(Path("models/tuned/recipe.yaml").read_text())["lora"] is None
    assert model.config.text_config.vocab_size == small_janus.shape.rows
