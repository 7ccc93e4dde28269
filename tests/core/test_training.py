"""Losses, groups, schedules, run folders, and runs that are stopped and continued."""

from __future__ import annotations

import copy
import csv
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from janus_core.checkpoints.own import load_checkpoint, save_checkpoint
from janus_core.errors import UserError
from janus_core.model.janus import TaskLosses
from janus_core.training.module import normalise
from janus_core.training.optimiser import parameter_groups, schedule
from janus_core.training.points import Points
from janus_core.training.runner import Interrupted

MODES = ["understanding", "generation", "both"]

# -- losses -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["understanding", "text", "generation"])
def test_a_batch_of_one_task_has_a_finite_loss(tiny: ModuleType, tmp_path: Path, task: str) -> None:
    """Row 10: a task that a batch lacks gives neither None nor a crash."""
    values = tiny.recipe("both", text=True)
    values["stages"][0] |= {"mixture": {task: 1}, "data": {task: [task]}}
    tiny.train(values, tmp_path / "out")
    (metrics,) = (tmp_path / "out" / "logs").rglob("metrics.csv")
    rows = list(csv.DictReader(metrics.open(encoding="utf-8")))
    assert len(rows) == 2
    assert all(math.isfinite(float(row["loss"])) and float(row["loss"]) > 0 for row in rows)
    assert {name for name in rows[0] if name.startswith("loss/")} == {f"loss/{task}"}


def losses(**tasks: tuple[float, int]) -> TaskLosses:
    return TaskLosses(
        {t: torch.tensor(s, requires_grad=True) for t, (s, _) in tasks.items()},  # type: ignore[misc]
        {t: n for t, (_, n) in tasks.items()},  # type: ignore[misc]
    )


@pytest.mark.parametrize(
    ("by", "weights", "value"),
    [
        ("tokens", {}, (6 + 20) / (3 + 5)),
        ("tasks", {}, 6 / 3 + 20 / 5),
        ("tasks", {"generation": 0.5}, 6 / 3 + 0.5 * 20 / 5),
        ("tokens", {"understanding": 2.0}, (2 * 6 + 20) / 8),
        ("tasks", {"understanding": 0.0}, 20 / 5),
    ],
)
def test_normalisation(by: str, weights: dict[Any, float], value: float) -> None:
    found = normalise(
        losses(understanding=(6.0, 3), generation=(20.0, 5)), {"understanding": 3, "generation": 5}, by, weights
    )
    assert float(found.detach()) == pytest.approx(value)


def test_the_shares_of_rows_add_up() -> None:
    rows = [losses(understanding=(6.0, 3)), losses(understanding=(1.0, 1), generation=(20.0, 5))]
    counts: dict[Any, int] = {"understanding": 4, "generation": 5}
    for by, value in (("tokens", 27 / 9), ("tasks", 7 / 4 + 20 / 5)):
        assert sum(float(normalise(row, counts, by, {}).detach()) for row in rows) == pytest.approx(value)


def test_the_loss_falls(tiny: ModuleType, tmp_path: Path) -> None:
    values = tiny.recipe("both", steps=25)
    values["stages"][0]["learning_rate"] = 5e-3
    for task in ("understanding", "generation"):
        values["sources"][task] = tiny.scenes(task, length=2)
    tiny.train(values, tmp_path / "out")
    (metrics,) = (tmp_path / "out" / "logs").rglob("metrics.csv")
    rows = list(csv.DictReader(metrics.open(encoding="utf-8")))
    for name in ("loss/understanding", "loss/generation"):
        assert float(rows[-1][name]) < 0.7 * float(rows[0][name]), name


# -- optimiser --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "step", "value"),
    [
        ("constant", 0, 1 / 5),
        ("constant", 3, 4 / 5),
        ("constant", 4, 1.0),
        ("constant", 104, 1.0),
        ("linear", 4, 1.0),
        ("linear", 54, 0.55),
        ("linear", 104, 0.1),
        ("linear", 1000, 0.1),
        ("cosine", 4, 1.0),
        ("cosine", 54, 0.55),
        ("cosine", 29, 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi / 4))),
        ("cosine", 104, 0.1),
    ],
)
def test_schedules(kind: str, step: int, value: float) -> None:
    assert schedule(kind, warmup=4, steps=104, final=0.1)(step) == pytest.approx(value)


def test_without_warmup_the_first_step_has_the_peak() -> None:
    assert schedule("cosine", warmup=0, steps=10, final=0)(0) == 1.0


def test_vectors_have_no_decay_and_parts_their_own_rate(tiny: ModuleType) -> None:
    model = tiny.build(tiny.recipe("both")).model
    frozen = model.set_trained(["language_model", "adapters.*", "generation_head"])
    groups = parameter_groups(
        model.parts(), rate=0.1, factors={"language_model": 0.5, "*.image": 2.0, "l*": 0.5}, weight_decay=0.3
    )
    for group in groups:
        assert {p.dim() >= 2 for p in group["params"]} == {group["weight_decay"] > 0}, group["name"]
    rates = {group["name"].removesuffix(" (vectors)"): group["lr"] for group in groups}
    assert rates == pytest.approx({"language_model": 0.025, "adapters.image": 0.2, "generation_head": 0.1})
    ids = [id(p) for group in groups for p in group["params"]]
    wanted = [p for name, part in model.parts().items() if name not in frozen for p in part.parameters()]
    assert len(ids) == len(set(ids)) == len(wanted)


def test_a_parameter_of_two_parts_is_in_one_group() -> None:
    shared = nn.Linear(2, 2)
    groups = parameter_groups({"a": shared, "b": shared}, rate=1, factors={}, weight_decay=0)
    assert sum(len(group["params"]) for group in groups) == 2


# -- parts are initialised by their own names -------------------------------------------------------------------------


def test_swapping_one_part_leaves_the_initial_weights_of_the_others(tiny: ModuleType) -> None:
    """Design, rule 9: a comparison of two encoders begins with the same language model, adapters and heads."""

    def initial(**swap: str) -> dict[str, dict[str, torch.Tensor]]:
        torch.manual_seed(len(str(swap)))  # the state of the caller's generator is of no consequence
        return {
            name: tiny.weights(part) for name, part in tiny.build(tiny.recipe("both", **swap)).model.parts().items()
        }

    first = initial()
    for swap, touched in (
        ({"encoder": "eva_clip"}, {"encoders.image", "adapters.image"}),
        ({"adapter": "linear"}, {"adapters.image"}),
        ({"tokenizer": "llamagen_vq"}, {"generation_tokenizer", "code_table", "generation_adapter"}),
    ):
        other = initial(**swap)  # type: ignore[arg-type]
        changed = {name for name in first if tiny.differing(first[name], other[name])}
        assert changed <= touched, swap
        assert changed
    assert not any(tiny.differing(first[name], part) for name, part in initial().items())
    model = tiny.recipe("both")
    model["seed"] = 99
    reseeded = {name: tiny.weights(part) for name, part in tiny.build(model).model.parts().items()}
    assert all(tiny.differing(first[name], reseeded[name]) for name in first)


def test_building_leaves_the_callers_generator_alone(tiny: ModuleType) -> None:
    torch.manual_seed(0)
    wanted = torch.rand(1)
    torch.manual_seed(0)
    tiny.build(tiny.recipe("both"))
    assert torch.equal(torch.rand(1), wanted)


# -- checkpoints ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_every_tensor_survives_saving_and_loading(tiny: ModuleType, tmp_path: Path, mode: str) -> None:
    """Row 6: all tensors are changed first, so that none can pass by being initialised alike."""
    values = tiny.recipe(mode)
    built = tiny.build(values)
    before = tiny.weights(built.model)
    tiny.perturb(built.model)
    changed = tiny.weights(built.model)
    assert set(tiny.differing(before, changed)) == set(before)
    save_checkpoint(tmp_path / "ckpt", built, tiny.validated(values), {})
    loaded, recipe, facts = load_checkpoint(tmp_path / "ckpt")
    assert tiny.differing(changed, tiny.weights(loaded.model)) == []
    assert recipe.name == "tiny"
    assert facts["random"] == built.random == loaded.random
    assert len(loaded.text) == len(built.text)


# -- the folder of a run ----------------------------------------------------------------------------------------------


def test_an_out_in_use_is_refused_and_left_alone(tiny: ModuleType, tmp_path: Path) -> None:
    values = tiny.recipe("understanding")
    tiny.train(values, tmp_path / "out")
    listing = tiny.listing(tmp_path)
    with pytest.raises(UserError, match="already holds a run") as caught:
        tiny.train(values, tmp_path / "out")
    assert "--resume" in str(caught.value.remedy)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear", encoding="utf-8")
    (tmp_path / "file").touch()
    for name in ("mine", "file"):
        with pytest.raises(UserError, match="not the folder of a run") as caught:
            tiny.train(values, tmp_path / name)
        assert "--out" in str(caught.value.remedy)
    assert tiny.listing(tmp_path) == sorted([*listing, "mine", "mine/letter.txt", "file"])


def test_a_finished_run_resumes_to_the_same_model_at_once(tiny: ModuleType, tmp_path: Path) -> None:
    values = tiny.recipe("generation")
    first = tiny.train(values, tmp_path / "out")
    again = tiny.train(values, tmp_path / "out", resume=True)
    assert again.built.random == first.built.random == ["generation_tokenizer"]
    assert tiny.differing(tiny.weights(first.built.model), tiny.weights(again.built.model)) == []


def test_the_record_explains_the_run(tiny: ModuleType, tmp_path: Path) -> None:
    values = tiny.recipe("both")
    session = tiny.train(values, tmp_path / "out")
    record = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert record["random_weights"] == ["encoders.image", "language_model", "generation_tokenizer"]
    assert session.built.random == ["encoders.image", "generation_tokenizer"]  # a stage trained the other
    assert record["provenance"]["encoders.image"]["component"] == "siglip/siglip"
    assert record["sources"]["understanding"]["samples"] == 32
    assert record["parameters"]["language_model"] == sum(
        p.numel() for p in session.built.model.language_model.parameters()
    )
    assert record["environment"]["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    assert record["stages"]["one"]["steps"] == 2
    assert not list((tmp_path / "out").rglob("*.partial"))


# -- stopping and continuing ------------------------------------------------------------------------------------------


def interrupt_at(monkeypatch: pytest.MonkeyPatch, *steps: int) -> None:
    """Ctrl-C in these steps of every stage, as a person at the keyboard would send it."""
    former = Points.on_train_batch_end

    def and_stop(self: Any, trainer: Any, *rest: Any) -> None:
        former(self, trainer, *rest)
        if trainer.global_step in steps:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Points, "on_train_batch_end", and_stop)


def metrics_of(out: Path) -> list[dict[str, str]]:
    """The rows of all metrics in a run's folder."""
    found: list[dict[str, str]] = []
    for path in sorted((out / "logs").rglob("metrics.csv")):
        with path.open(encoding="utf-8") as file:
            found += csv.DictReader(file)
    return found


@pytest.mark.parametrize("mode", MODES)
def test_six_steps_are_three_and_three(
    tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """Row 13: bit-equal weights on CPU, also the schedule's and the optimiser's share in them."""
    values = tiny.recipe(mode, steps=6, text=True)
    values["stages"][0] |= {"schedule": "cosine", "warmup": 2, "weight_decay": 0.1}
    whole = tiny.train(values, tmp_path / "whole")
    with monkeypatch.context() as patch:
        interrupt_at(patch, 3)
        with pytest.raises(Interrupted, match="after step 3 of 6"):
            tiny.train(values, tmp_path / "parts")
    assert not (tmp_path / "parts" / "checkpoint").exists()
    said: list[str] = []
    parts = tiny.train(values, tmp_path / "parts", resume=True, say=said.append)
    assert "resuming at step 3 of 6" in said
    assert tiny.differing(tiny.weights(whole.built.model), tiny.weights(parts.built.model)) == []
    assert not list((tmp_path / "parts" / "points").iterdir())
    rows = {name: metrics_of(tmp_path / name) for name in ("whole", "parts")}
    assert sorted(int(row["step"]) for row in rows["whole"]) == sorted(int(row["step"]) for row in rows["parts"])
    assert {r["step"]: r["loss"] for r in rows["whole"]} == {r["step"]: r["loss"] for r in rows["parts"]}


def test_ctrl_c_in_the_last_step_of_a_stage_stops_the_run(
    tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = tiny.three_stages(tiny.recipe("generation"))
    whole = tiny.train(values, tmp_path / "whole")
    for stage in (1, 2):
        with monkeypatch.context() as patch:
            interrupt_at(patch, 2)
            with pytest.raises(Interrupted, match=f"stage{stage}"):
                tiny.train(values, tmp_path / "parts", resume=stage > 1)
        facts = json.loads((tmp_path / "parts" / "checkpoint" / "janus.json").read_text(encoding="utf-8"))
        assert facts["stages_done"] == stage
    parts = tiny.train(values, tmp_path / "parts", resume=True)
    assert tiny.differing(tiny.weights(whole.built.model), tiny.weights(parts.built.model)) == []


def test_stopping_in_the_second_stage_continues_there(
    tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = tiny.three_stages(tiny.recipe("both"), steps=3)
    values["stages"][1]["steps"] = 5
    whole = tiny.train(values, tmp_path / "whole")
    with monkeypatch.context() as patch:
        interrupt_at(patch, 4)
        with pytest.raises(Interrupted, match="stage2: stopped and saved after step 4 of 5"):
            tiny.train(values, tmp_path / "parts")
    parts = tiny.train(values, tmp_path / "parts", resume=True)
    assert tiny.differing(tiny.weights(whole.built.model), tiny.weights(parts.built.model)) == []


def test_killed_between_a_stages_checkpoint_and_its_tidying(
    tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The resume point of a stage that is done must not be taken for one of the next."""
    values = tiny.three_stages(tiny.recipe("generation"), steps=4)
    values["run"]["checkpoint_every"] = 2
    whole = tiny.train(values, tmp_path / "whole")

    class Killed(BaseException):
        pass

    former = Path.unlink

    def die(self: Path, missing_ok: bool = False) -> None:
        if self.name.endswith(".ckpt.json"):
            raise Killed
        former(self, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", die)
        with pytest.raises(Killed):
            tiny.train(values, tmp_path / "parts")
    assert list((tmp_path / "parts" / "points").glob("stage1-*.ckpt"))
    parts = tiny.train(values, tmp_path / "parts", resume=True)
    assert tiny.differing(tiny.weights(whole.built.model), tiny.weights(parts.built.model)) == []


@pytest.mark.parametrize("change", [("seed", 4), ("stages.0.learning_rate", 2e-3), ("model.image_size", 64)])
def test_resuming_with_other_settings_is_refused(
    tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, object]
) -> None:
    from janus_core.config.load import apply_set

    values = tiny.recipe("generation", steps=4)
    with monkeypatch.context() as patch:
        interrupt_at(patch, 2)
        with pytest.raises(Interrupted):
            tiny.train(values, tmp_path / "out")
    (point,) = (tmp_path / "out" / "points").glob("*.ckpt")
    before = point.read_bytes()
    other = copy.deepcopy(values)
    apply_set(other, f"{change[0]}={change[1]}")
    with pytest.raises(UserError, match="other settings") as caught:
        tiny.train(other, tmp_path / "out", resume=True)
    assert str(tmp_path / "out" / "recipe.yaml") in str(caught.value.remedy)
    assert point.read_bytes() == before


TWICE = """
import sys
from pathlib import Path
from janus_core.cli import main

recipe, out = sys.argv[1:]
code = main(["train", recipe, "--out", out, "--no-progress"])
Path(out, "code").write_text(str(code))
main(["train", recipe, "--out", out, "--no-progress", "--resume"])
"""


def wait_for(found: Any, seconds: float, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.05)


@pytest.mark.slow
def test_ctrl_c_then_kill_then_resume(tiny: ModuleType, tmp_path: Path) -> None:
    """A real process: interrupted (exit code 130, saved), continued, killed with no warning, continued again."""
    values = tiny.recipe("both", steps=120)
    values["run"] |= {"checkpoint_every": 5, "log_every": 50}
    recipe, out = tiny.write(values, tmp_path / "r.yaml"), tmp_path / "out"
    points = out / "points"
    command = [sys.executable, "-c", TWICE, str(recipe), str(out)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    ) as process:
        wait_for(lambda: list(points.glob("*.ckpt.json")), 120, process)
        process.send_signal(signal.SIGINT)
        wait_for((out / "code").is_file, 60, process)
        stopped = set(points.glob("*.ckpt.json"))
        wait_for(lambda: set(points.glob("*.ckpt.json")) - stopped, 60, process)
        process.kill()
        _, errors = process.communicate()
    assert (out / "code").read_text(encoding="utf-8") == "130"
    assert f"--out {out} --resume" in errors
    assert "resuming at step" in errors
    assert "Traceback" not in errors
    (out / "code").unlink()
    resumed = tiny.train(tiny.load(recipe), out, resume=True)
    whole = tiny.train(tiny.load(recipe), tmp_path / "whole")
    assert tiny.differing(tiny.weights(whole.built.model), tiny.weights(resumed.built.model)) == []
