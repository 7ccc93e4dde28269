"""Frozen means frozen, whoever calls train(), and whatever role a module serves in."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from janus_core.checkpoints.own import digest, load_checkpoint
from janus_core.errors import UserError
from janus_core.training.optimiser import parameter_groups
from janus_core.training.runner import train as run_stages


def test_frozen_parts_stay_in_eval_and_unchanged_while_samples_are_made(
    tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 7."""
    from janus_core.training.module import JanusTraining

    modes: list[dict[str, bool]] = []
    former = JanusTraining.training_step

    def step(self: Any, loaded: Any, index: int) -> Any:
        modes.append({name: part.training for name, part in self.model.parts().items()})
        return former(self, loaded, index)

    monkeypatch.setattr(JanusTraining, "training_step", step)
    values = tiny.recipe("both", steps=4)
    values["stages"][0]["train"] = ["adapters.*", "generation_adapter", "generation_head"]
    values["samples"] = {"every": 1, "prompts": ["a cat"], "questions": 1}
    frozen = {"language_model", "encoders.image", "generation_tokenizer", "code_table"}
    before = {name: digest(part) for name, part in tiny.build(values).model.parts().items()}
    session = tiny.train(values, tmp_path / "out")
    assert len(modes) == 4
    assert all({name for name, training in mode.items() if not training} == frozen for mode in modes)
    after = {name: digest(part) for name, part in session.built.model.parts().items()}
    assert {name for name in after if after[name] == before[name]} == frozen
    record = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))["stages"]["one"]
    assert record["frozen_sha256"] == {name: before[name] for name in frozen}
    assert sorted(p.name for p in (tmp_path / "out" / "samples").glob("*.png")) == [
        f"one-00000{i}.png" for i in range(1, 5)
    ]


def test_making_samples_changes_no_result(tiny: ModuleType, tmp_path: Path) -> None:
    values = tiny.recipe("both", steps=3)
    plain = tiny.train(values, tmp_path / "plain")
    values["samples"] = {"every": 1, "prompts": ["a cat"], "questions": 2, "guidance": 2.0}
    sampled = tiny.train(values, tmp_path / "sampled")
    assert tiny.differing(tiny.weights(plain.built.model), tiny.weights(sampled.built.model)) == []


def test_a_frozen_part_that_changes_ends_the_run(
    tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from janus_core.training.points import Points

    def spoil(self: Any, trainer: Any, module: Any, *_: Any) -> None:
        with torch.no_grad():
            next(module.model.parts()["encoders.image"].parameters()).add_(1)

    monkeypatch.setattr(Points, "on_train_batch_end", spoil)
    with pytest.raises(AssertionError, match=r"encoders\.image"):
        tiny.train(tiny.recipe("understanding"), tmp_path / "out")
    assert not (tmp_path / "out" / "checkpoint").exists()


@pytest.mark.parametrize("call", ["model", "whole", "after eval"])
def test_train_wakes_no_frozen_part(tiny: ModuleType, call: str) -> None:
    model = tiny.build(tiny.recipe("both")).model
    frozen = model.set_trained(["language_model"])
    if call == "after eval":
        model.eval()
    (torch.nn.Sequential(model) if call == "whole" else model).train()
    assert {name for name, part in model.parts().items() if part.training} == set(model.parts()) - frozen
    inside = [m for name in frozen for m in model.parts()[name].modules()]
    assert not any(module.training for module in inside)


def test_a_pattern_that_matches_nothing_raises_with_the_nearest_name(tiny: ModuleType) -> None:
    """Row 8."""
    model = tiny.build(tiny.recipe("both")).model
    with pytest.raises(UserError, match=r"'adapter\.image'") as caught:
        model.set_trained(["language_model", "adapter.image"])
    assert "did you mean adapters.image" in str(caught.value.remedy)
    with pytest.raises(UserError) as caught:
        model.set_trained(["generation_tokenizer"])
    assert "janus pretrain" in str(caught.value.remedy)
    with pytest.raises(UserError, match="encoderz") as caught:
        parameter_groups(model.parts(), rate=1, factors={"encoderz": 1}, weight_decay=0)
    assert "encoders.image" in str(caught.value.remedy)


def test_wildcards_never_train_the_tokenizer(tiny: ModuleType) -> None:
    model = tiny.build(tiny.recipe("both")).model
    assert model.set_trained(["*"]) == {"generation_tokenizer"}
    assert not any(p.requires_grad for p in model.generation_tokenizer.parameters())
    assert all(p.requires_grad for p in model.encoders.parameters())


def test_stages_freeze_and_thaw(tiny: ModuleType) -> None:
    """What one stage froze, the next one trains, as the paper's stages do."""
    model = tiny.build(tiny.recipe("both")).model
    model.set_trained(["adapters.*"])
    assert not any(p.requires_grad for p in model.language_model.parameters())
    model.set_trained(["language_model"])
    assert all(p.requires_grad for p in model.language_model.parameters())
    assert not any(p.requires_grad for p in model.adapters.parameters())


# -- one module in two roles ------------------------------------------------------------------------------------------


def test_a_shared_tokenizer_is_one_module_frozen_in_both_roles(tiny: ModuleType) -> None:
    """Ablation A of the paper: the same tokenizer serves both paths."""
    model = tiny.build(tiny.recipe("both", encoder="tokenizer_as_encoder")).model
    assert model.encoders["image"].tokenizer is model.generation_tokenizer
    model.set_trained(["encoders.*", "language_model"])
    assert not any(p.requires_grad for p in model.generation_tokenizer.parameters())
    assert not any(p.requires_grad for p in model.encoders["image"].parameters())
    assert not model.encoders["image"].tokenizer.training


def test_a_shared_tokenizer_is_trained_by_no_stage_and_stored_once(tiny: ModuleType, tmp_path: Path) -> None:
    values = tiny.recipe("both", encoder="tokenizer_as_encoder")
    values["stages"][0]["train"] = ["encoders.*", "language_model", "adapters.*"]
    before = digest(tiny.build(values).model.generation_tokenizer)
    session = tiny.train(values, tmp_path / "out")
    assert digest(session.built.model.generation_tokenizer) == before
    stored = load_file(tmp_path / "out" / "checkpoint" / "model.safetensors")
    tokenizer = session.built.model.generation_tokenizer.state_dict()
    roles = [key for key in stored if "tokenizer." in key and not key.startswith(("language_model", "code_table"))]
    assert len(roles) == len(tokenizer) > 5
    built, _, _ = load_checkpoint(tmp_path / "out")
    assert built.model.encoders["image"].tokenizer is built.model.generation_tokenizer
    assert tiny.differing(tiny.weights(session.built.model), tiny.weights(built.model)) == []


def test_only_frozen_parts_named_is_an_error(tiny: ModuleType, tmp_path: Path) -> None:
    values = tiny.recipe("understanding", encoder="tokenizer_as_encoder")
    values["stages"][0]["train"] = ["encoders.*"]  # its only parameters are the tokenizer's
    with pytest.raises(UserError, match="nothing trains"):
        run_stages(tiny.validated(values), folder=Path("."), out=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()
