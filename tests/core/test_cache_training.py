"""A whole run with a cache: every weight is what it is without one."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_with_a_cache_trains_the_same_weights(tiny: ModuleType, tmp_path: Path, workers: int) -> None:
    values = tiny.three_stages(tiny.recipe("both", tokenizer="patch_vq"), steps=2)
    values["samples"] = {"every": 1, "prompts": ["a cat"], "questions": 1}
    values["run"]["workers"] = workers
    plain = tiny.train(values, tmp_path / "plain")
    values["run"]["cache"] = {"folder": "cache"}
    for name, computed in (("first", {"encoders.image": 4, "generation_tokenizer": 4}), ("second", {})):
        news: list[str] = []
        cached = tiny.train(values, tmp_path / name, folder=tmp_path, say=news.append)
        assert tiny.differing(tiny.weights(plain.built.model), tiny.weights(cached.built.model)) == []
        stages = json.loads((tmp_path / name / "run.json").read_text(encoding="utf-8"))["stages"]
        found = {part: about["computed"] for part, about in stages["stage1"]["cache"].items()}
        assert found == {"encoders.image": 0, "generation_tokenizer": 0} | computed
        assert set(stages["stage3"]["cache"]) == {"generation_tokenizer"}
        assert any("cache: encoders.image" in line for line in news)
