"""A run that is killed and resumed is the run that never stopped, bit by bit."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from janus_core.checkpoints.own import load_checkpoint
from janus_core.errors import UserError
from janus_core.inference.session import Session

MODES = ["understanding", "generation", "both"]
UNITS: dict[str, dict[str, Any]] = {
    "samples": {},
    "samples in rows": {"row_tokens": 300},
    "rows": {"batch_unit": "rows", "row_tokens": 300, "batch_size": 2},
}


def recipe(tiny: ModuleType, folder: Path, mode: str, unit: str, *, steps: int = 6) -> dict[str, Any]:
    """All that a resumed run must get right at once: a falling rate, an average, validation, unusable records."""
    values: dict[str, Any] = tiny.recipe(mode, steps=steps, text=True)
    lines = ["{broken" if number in (2, 5) else json.dumps({"text": f"line {number}"}) for number in range(9)]
    (folder / "lines.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    values["sources"]["text"] = {"type": "text_jsonl", "options": {"path": "lines.jsonl"}}
    values["stages"][0] |= {
        "schedule": "cosine",
        "warmup": 2,
        "weight_decay": 0.1,
        "ema": 0.7,
        "validation": {"every": 2, "samples": 2, "data": {task: [task] for task in tiny.TASKS[mode]}},
    }
    values["stages"][0] |= UNITS[unit]
    values["run"] |= {"checkpoint_every": 3, "keep_checkpoints": 2, "loggers": ["csv"]}
    return values


def same_state(first: Any, second: Any) -> bool:
    """Whether two nests of tensors are bit-equal."""
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same_state(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same_state, first, second))
    return bool(first == second)


@pytest.mark.silent_failure(13)
@pytest.mark.parametrize(
    ("mode", "unit", "killed_after", "cached"),
    [
        ("understanding", "samples", 4, False),
        ("generation", "samples", 3, False),
        ("both", "samples", 5, False),
        ("understanding", "samples in rows", 5, False),
        ("generation", "samples in rows", 4, False),
        ("both", "samples in rows", 3, False),
        ("understanding", "rows", 3, False),
        ("generation", "rows", 5, False),
        ("both", "rows", 4, False),
        ("understanding", "samples in rows", 4, True),
        ("generation", "rows", 4, True),
        ("both", "samples", 4, True),
        ("both", "rows", 5, True),
    ],
)
def test_six_steps_are_three_a_kill_and_three(
    tiny: ModuleType, recorder: ModuleType, tmp_path: Path, mode: str, unit: str, killed_after: int, cached: bool
) -> None:
    """Weights, optimiser, metrics, sample ids; what was done after the point is lost and done again.

    The run with a cache of features and codes is compared with the whole one without.
    """
    values = recipe(tiny, tmp_path, mode, unit)
    said: list[str] = []
    with recorder.recorded(dropout=0.2) as whole:
        first = tiny.train(values, tmp_path / "whole", folder=tmp_path)
    parts = tmp_path / "parts"
    if cached:
        values["run"]["cache"] = {"folder": "cache"}
    with recorder.recorded(dropout=0.2, kill_after=killed_after) as begun, pytest.raises(recorder.Killed):
        tiny.train(values, parts, folder=tmp_path)
    assert [path.name for path in (parts / "points").glob("*.ckpt")] == ["one-00000003.ckpt"]
    with recorder.recorded(dropout=0.2) as rest:
        second = tiny.train(values, parts, folder=tmp_path, resume=True, say=said.append)
    assert "resuming at step 3 of 6" in said
    assert sorted(begun.ids) == list(range(killed_after))
    assert sorted(rest.ids) == [3, 4, 5]
    for seen in (begun, rest):
        assert seen.ids == {step: whole.ids[step] for step in seen.ids}
        assert same_state(seen.gradients, {step: whole.gradients[step] for step in seen.ids})
    assert all(step[name].any() for step in whole.gradients.values() for name in list(step)[:1])
    assert whole.optimiser["state"]
    assert same_state(whole.optimiser, rest.optimiser)
    assert tiny.differing(tiny.weights(first.built.model), tiny.weights(second.built.model)) == []
    metrics = [recorder.comparable(tmp_path / name) for name in ("whole", "parts")]
    assert sorted(metrics[0]) == list(range(6))
    assert metrics[0] == metrics[1]
    assert any(name.startswith("validation/") for name in metrics[0][3])
    records = [json.loads((tmp_path / name / "run.json").read_text())["stages"]["one"] for name in ("whole", "parts")]
    assert records[0]["bad_records"] == records[1]["bad_records"]
    best = [json.loads((tmp_path / name / "best" / "janus.json").read_text()) for name in ("whole", "parts")]
    assert best[0] == best[1]


def test_random_streams_matter_here(tiny: ModuleType, recorder: ModuleType, tmp_path: Path) -> None:
    """Else the test above would not see that they are restored."""
    gradients = []
    for dropout in (0.0, 0.2, 0.2):
        with recorder.recorded(dropout=dropout) as seen:
            tiny.train(tiny.recipe("understanding", steps=1), tmp_path / str(len(gradients)))
        gradients.append(seen.gradients[0])
    assert same_state(gradients[1], gradients[2])
    assert not same_state(gradients[0], gradients[1])


# -- points -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def killed(tiny: ModuleType, recorder: ModuleType, tmp_path: Path) -> tuple[dict[str, Any], Path]:
    """A run that died in its last step, with points after each of the steps before."""
    values = tiny.recipe("understanding", steps=5)
    values["run"] |= {"checkpoint_every": 1, "keep_checkpoints": 3, "loggers": ["csv"]}
    with recorder.recorded(kill_after=4), pytest.raises(recorder.Killed):
        tiny.train(values, tmp_path / "out")
    return values, tmp_path / "out"


def names(out: Path) -> list[str]:
    return sorted(path.name for path in (out / "points").iterdir())


def test_the_last_points_are_kept(killed: tuple[dict[str, Any], Path]) -> None:
    _, out = killed
    assert names(out) == [f"one-0000000{step}.ckpt{end}" for step in (2, 3, 4) for end in ("", ".json")]
    facts = json.loads((out / "points" / "one-00000004.ckpt.json").read_text(encoding="utf-8"))
    assert facts.pop("sha256")
    assert facts.pop("provenance") == json.loads((out / "run.json").read_text(encoding="utf-8"))["provenance"]
    assert facts == {"file": "one-00000004.ckpt", "stage": "one", "step": 4, "processes": 1, "threads": 1}


def spoil(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "flipped":
        content[len(content) // 2] ^= 1
    path.write_bytes(content[: len(content) // 2] if how == "truncated" else content)


@pytest.mark.parametrize("how", ["truncated", "flipped", "gone", "description"])
def test_a_damaged_point_is_told_of_and_passed_over(
    tiny: ModuleType, killed: tuple[dict[str, Any], Path], tmp_path: Path, how: str
) -> None:
    values, out = killed
    point = out / "points" / "one-00000004.ckpt"
    if how == "gone":
        point.unlink()
    elif how == "description":
        spoil(point.with_name(point.name + ".json"), "truncated")
    else:
        spoil(point, how)
    said: list[str] = []
    resumed = tiny.train(values, out, resume=True, say=said.append)
    assert "resuming at step 3 of 5" in said
    (warning,) = [line for line in said if "damaged" in line]
    assert str(point) in warning
    if how == "truncated":
        whole = tiny.train(values, tmp_path / "whole")
        assert tiny.differing(tiny.weights(whole.built.model), tiny.weights(resumed.built.model)) == []


def test_without_a_sound_point_the_stage_begins_anew(tiny: ModuleType, killed: tuple[dict[str, Any], Path]) -> None:
    values, out = killed
    for path in (out / "points").glob("*.ckpt"):
        spoil(path, "truncated")
    said: list[str] = []
    tiny.train(values, out, resume=True, say=said.append)
    assert sum("damaged" in line for line in said) == 3
    assert not any("resuming" in line for line in said)


def test_a_stopped_step_is_saved_once(tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saving over a point could end with neither the old one nor the new."""
    import lightning

    from janus_core.training.runner import Interrupted
    from janus_core.training.stopping import StopSoftly

    saved: list[Path] = []
    former = lightning.Trainer.save_checkpoint
    monkeypatch.setattr(
        lightning.Trainer, "save_checkpoint", lambda self, path: (saved.append(path), former(self, path))[1]
    )
    monkeypatch.setattr(
        StopSoftly, "on_train_batch_end", lambda self, *_: signal.raise_signal(signal.SIGINT), raising=False
    )
    values = tiny.recipe("understanding", steps=3)
    values["run"]["checkpoint_every"] = 1
    with pytest.raises(Interrupted, match="after step 1 of 3"):
        tiny.train(values, tmp_path / "out")
    assert len(saved) == 1


def test_handlers_of_signals_are_given_back(
    tiny: ModuleType, recorder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lightning's own would stay behind its trainer: a process that has trained could not be terminated."""
    soft = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    before = [signal.getsignal(number) for number in soft]
    tiny.train(tiny.recipe("understanding", steps=1), tmp_path / "whole")
    assert [signal.getsignal(number) for number in soft] == before
    with recorder.recorded(kill_after=1), pytest.raises(recorder.Killed):
        tiny.train(tiny.recipe("understanding", steps=2), tmp_path / "killed")
    assert [signal.getsignal(number) for number in soft] == before


# -- best -------------------------------------------------------------------------------------------------------------


def scripted_validation(monkeypatch: pytest.MonkeyPatch, losses: dict[int, float]) -> list[int]:
    """Validation gives these losses by step; the steps at which it was done."""
    from janus_core.training.validation import Validation

    done: list[int] = []

    def measure(self: Any, module: Any) -> dict[str, float]:
        done.append(module.global_step)
        return {"understanding": losses[module.global_step]}

    monkeypatch.setattr(Validation, "measure", measure)
    return done


def test_the_best_model_is_kept_and_answers(
    tiny: ModuleType, recorder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the run dies at the point of the best step and is resumed there."""
    done = scripted_validation(monkeypatch, {2: 5.0, 4: 2.0, 6: 3.0})
    values = tiny.recipe("understanding", steps=6)
    values["stages"][0]["validation"] = {"every": 2, "samples": 1, "data": {"understanding": ["understanding"]}}
    values["run"]["checkpoint_every"] = 4
    with recorder.recorded(kill_after=4), pytest.raises(recorder.Killed):
        tiny.train(values, tmp_path / "out")
    assert done == [2, 4]
    last = tiny.train(values, tmp_path / "out", resume=True)
    assert done == [2, 4, 6]
    best, _, facts = load_checkpoint(tmp_path / "out" / "best")
    assert (facts["stage"], facts["step"], facts["validation"]) == ("one", 4, {"understanding": 2.0})
    assert facts["random"] == ["encoders.image"]  # the language model was trained
    assert tiny.differing(tiny.weights(last.built.model), tiny.weights(best.model))
    assert isinstance(Session(best).ask(tiny.picture(), "what?", max_new_tokens=3), str)
    values["stages"][0]["steps"] = 4
    values["stages"][0].pop("validation")
    until = tiny.train(values, tmp_path / "until")
    assert tiny.differing(tiny.weights(until.built.model), tiny.weights(best.model)) == []


def test_validation_of_no_source_is_refused(tiny: ModuleType) -> None:
    values = tiny.recipe("understanding")
    for data in ({}, {"understanding": []}):
        values["stages"][0]["validation"] = {"every": 1, "data": data}
        with pytest.raises(UserError, match=r"validation\.data"):
            tiny.validated(values)


# -- LoRA -------------------------------------------------------------------------------------------------------------


def test_low_rank_updates_with_dropout_resume(tiny: ModuleType, recorder: ModuleType, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    values = tiny.recipe("understanding", steps=4)
    values["lora"] = {"parts": ["language_model"], "rank": 2, "dropout": 0.3}
    values["stages"][0] |= {"ema": 0.5}
    values["run"]["checkpoint_every"] = 2
    whole = tiny.train(values, tmp_path / "whole")
    with recorder.recorded(kill_after=3), pytest.raises(recorder.Killed):
        tiny.train(values, tmp_path / "parts")
    parts = tiny.train(values, tmp_path / "parts", resume=True)
    trained = tiny.weights(whole.built.model)
    assert tiny.differing(trained, tiny.weights(parts.built.model)) == []
    updates = [name for name in trained if "lora_B" in name]
    assert updates and all(trained[name].any() for name in updates)


# -- real processes ---------------------------------------------------------------------------------------------------

TRAIN = "import sys; from janus_core.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["samples", "rows"])
def test_killed_at_random_moments(tiny: ModuleType, recorder: ModuleType, tmp_path: Path, unit: str) -> None:
    """kill -9 three times, whenever; then it ends as the run that was left in peace."""
    values = recipe(tiny, tmp_path, "both", unit, steps=60)
    values["lora"] = {"parts": ["language_model"], "rank": 2, "dropout": 0.3}
    values["run"]["checkpoint_every"] = 4
    path, out = tiny.write(values, tmp_path / "r.yaml"), tmp_path / "out"
    command = [sys.executable, "-c", TRAIN, "train", str(path), "--out", str(out), "--no-progress", "--resume"]
    chance = random.Random(unit)
    for _ in range(3):
        before = set((out / "points").glob("*.json"))
        with subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE) as process:
            while process.poll() is None and not set((out / "points").glob("*.json")) - before:
                time.sleep(0.02)
            time.sleep(chance.random() * 3)
            process.kill()
    values = tiny.load(path)  # the order of the tasks as written
    resumed = tiny.train(values, out, folder=tmp_path, resume=True)
    whole = tiny.train(values, tmp_path / "whole", folder=tmp_path)
    trained = tiny.weights(resumed.built.model)
    for name, tensor in tiny.weights(whole.built.model).items():
        torch.testing.assert_close(trained[name], tensor, rtol=1e-3, atol=1e-4, msg=lambda m, n=name: f"{n}: {m}")
    metrics = [recorder.comparable(folder) for folder in (out, tmp_path / "whole")]
    assert list(metrics[0]) == list(metrics[1]) == list(range(60))
    exact = ("samples/", "tokens/", "bad_records", "learning_rate")
    for mine, theirs in zip(*(found.values() for found in metrics), strict=True):
        assert mine.keys() == theirs.keys()
        assert all(mine[key] == theirs[key] for key in mine if key.startswith(exact))
        assert float(mine["loss"]) == pytest.approx(float(theirs["loss"]), rel=1e-3)
