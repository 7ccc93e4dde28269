"""Two processes train what one trains: one launch on CPU (gloo) trains tiny recipes, the tests read its notes."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from janus_core.config.recipe import RunConfig
from janus_core.errors import UserError
from janus_core.training.processes import begun_as

SCRIPT = Path(__file__).with_name("two_processes.py")
MINUTES = 10
"""After so long a process that waits for another has hung."""
COMPARED = ("ddp alone", "fsdp alone", "ddp uneven", "fsdp uneven")
"""Cases that are compared with a single process."""


def recipes(tiny: ModuleType) -> dict[str, dict[str, Any]]:
    """The recipes by case."""

    def both(strategy: str, stage: dict[str, Any] | None = None, steps: int = 2, **parts: Any) -> dict[str, Any]:
        values: dict[str, Any] = tiny.recipe("both", steps=steps, **parts)
        values["stages"][0] |= {"clip": 1e9, "ema": 0.5, **(stage or {})}
        values["run"] |= {"devices": 2, "strategy": strategy, "loggers": ["csv"]}
        return values

    rows = {"batch_unit": "rows", "row_tokens": 300, "batch_size": 3}
    found: dict[str, dict[str, Any]] = {}
    for strategy in ("ddp", "fsdp"):
        found[f"{strategy} alone"] = both(strategy, {"batch_size": 2})  # a question for one, a drawing for the other
        found[f"{strategy} uneven"] = both(strategy, {"batch_size": 5, "row_tokens": 200}, text=True)
        found[f"{strategy} whole"] = both(strategy, {"batch_size": 4}, steps=3)
        found[f"{strategy} stopped"] = found[f"{strategy} whole"]
    found["rows whole"] = both("ddp", rows, steps=3)
    found["rows stopped"] = found["rows whole"]
    found["stages"] = tiny.three_stages(both("ddp"), steps=1)
    found["fsdp lora"] = both("fsdp", steps=1) | {"lora": {"parts": ["language_model"], "rank": 2}}
    found["fsdp lora"]["stages"][0] |= {
        "validation": {"every": 1, "samples": 1, "data": {"understanding": ["understanding"]}}
    }
    found["fsdp two roles"] = both("fsdp", steps=1, encoder="tokenizer_as_encoder")
    return found


def case(name: str, values: dict[str, Any], out: Path, **rest: Any) -> dict[str, Any]:
    return {"name": name, "recipe": values, "out": str(out), **rest}


def launch(script: Path, *arguments: str) -> None:
    """torchrun with two processes on one machine; a hang is a failure."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JANUS_")} | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*command, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            told, _ = process.communicate(timeout=MINUTES * 60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert process.returncode == 0, told.decode()[-4000:]


@pytest.fixture(scope="module")
def ran(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What the processes of each case saw, by rank."""
    folder = tmp_path_factory.mktemp("two")
    cases = []
    for name, values in recipes(tiny).items():
        out = folder / "runs" / name
        if name == "stages":
            cases.append(case(name, values, out, signal={"rank": 1, "step": 1}))
        elif name.endswith("stopped"):
            cases.append(case(name, values, out, signal={"rank": 1, "step": 1}))
            cases.append(case(f"{name}, resumed", values, out, resume=True))
        else:
            cases.append(case(name, values, out))
    (folder / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    (folder / "seen").mkdir()
    launch(SCRIPT, str(folder / "cases.json"), str(folder / "seen"))
    names = [entry["name"] for entry in cases]
    seen = {name: [torch.load(folder / "seen" / f"{name}-{rank}.pt") for rank in range(2)] for name in names}
    for name, notes in seen.items():
        for note in notes:
            note["out"] = folder / "runs" / name.removesuffix(", resumed")
    return seen


@pytest.fixture(scope="module")
def alone(tiny: ModuleType, recorder: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The same recipes in a single process."""
    found: dict[str, Any] = {}
    for name, values in recipes(tiny).items():
        if name.startswith("ddp") and name in COMPARED:
            values["run"] |= {"devices": 1, "strategy": "auto"}
            out = tmp_path_factory.mktemp("one") / "run"
            with recorder.recorded() as record:
                session = tiny.train(values, out)
            found[name] = {"record": record, "weights": tiny.weights(session.built.model), "out": out}
    return found


def apart(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor], relative: float) -> list[str]:
    """Names of the tensors that differ by more than this part of their norm."""
    assert first.keys() == second.keys()
    return [
        n for n in first if float((first[n] - second[n]).float().norm()) > relative * float(first[n].float().norm())
    ]


@pytest.mark.silent_failure(10, 12, 25)
@pytest.mark.parametrize("name", COMPARED)
def test_two_processes_learn_what_one_learns(
    recorder: ModuleType, ran: dict[str, list[dict[str, Any]]], alone: dict[str, Any], name: str
) -> None:
    """The same samples, losses, gradients and weights; also where a process lacks a task or has fewer rows."""
    one, two = alone["ddp" + name.removeprefix("ddp").removeprefix("fsdp")], ran[name]
    assert [note.get("error") for note in two] == [None, None]
    for step, rows in one["record"].ids.items():
        wanted = sorted(sample for row in rows for sample in row)
        assert sorted(sample for note in two for row in note["ids"][step] for sample in row) == wanted
    if name.endswith("alone"):
        assert {sum(map(len, note["ids"][step])) for note in two for step in note["ids"]} == {1}
    if name.endswith("uneven"):
        assert any(len(two[0]["ids"][step]) != len(two[1]["ids"][step]) for step in two[0]["ids"])
    metrics = [recorder.metrics(out) for out in (one["out"], two[0]["out"])]
    assert sorted(metrics[0]) == sorted(metrics[1]) == [0, 1]
    for step, row in metrics[0].items():
        for key in (key for key in row if key.startswith(("loss", "gradient_norm", "samples/", "tokens/"))):
            assert float(metrics[1][step][key]) == pytest.approx(float(row[key]), rel=1e-5), (step, key)
        gradients = one["record"].gradients[step]
        assert len(gradients) > 10
        assert apart(gradients, two[0]["gradients"][step], 1e-4 if step else 2e-5) == []
    # Adam divides by the gradient's size, so that rounding grows in weights whose gradient is close to nothing.
    assert apart(one["weights"], two[0]["weights"], 1e-3) == []
    assert all(torch.equal(two[0]["weights"][key], two[1]["weights"][key]) for key in two[0]["weights"])


@pytest.mark.parametrize("name", ["ddp", "fsdp", "rows"])
def test_a_signal_to_one_process_stops_both_and_the_run_goes_on(
    tiny: ModuleType, recorder: ModuleType, ran: dict[str, list[dict[str, Any]]], name: str
) -> None:
    """Bit by bit, with as many processes; the average of the weights is resumed, too."""
    whole, stopped, resumed = (ran[f"{name} {part}"] for part in ("whole", "stopped", "stopped, resumed"))
    assert [note["error"].partition("\n")[0] for note in stopped] == ["one: stopped and saved after step 2 of 3"] * 2
    assert [note.get("error") for note in resumed] == [None, None]
    assert "resuming at step 2 of 3" in resumed[0]["said"]
    assert not any("not bit by bit" in line for line in resumed[0]["said"])
    assert resumed[1]["said"] == []  # the first speaks
    for rank in range(2):
        for part in (stopped, resumed):
            assert part[rank]["ids"] == {step: whole[rank]["ids"][step] for step in part[rank]["ids"]}
        assert sorted(resumed[rank]["ids"]) == [2]
        assert tiny.differing(whole[rank]["weights"], resumed[rank]["weights"]) == []
    assert recorder.comparable(whole[0]["out"]) == recorder.comparable(stopped[0]["out"])
    assert not list((whole[0]["out"] / "points").glob("*"))


def test_a_signal_in_the_last_step_of_a_stage_stops_both(ran: dict[str, list[dict[str, Any]]]) -> None:
    """One process would else wait in the next stage for the other, which has left."""
    assert [note["error"].partition(":")[0] for note in ran["stages"]] == ["stage1", "stage1"]
    facts = json.loads((ran["stages"][0]["out"] / "checkpoint" / "janus.json").read_text(encoding="utf-8"))
    assert facts["stages_done"] == 1


@pytest.mark.silent_failure(28)
@pytest.mark.parametrize("name", ["fsdp alone", "fsdp two roles"])
def test_frozen_parts_are_units_of_their_own_without_gradients(ran: dict[str, list[dict[str, Any]]], name: str) -> None:
    for note in ran[name]:
        assert note.get("error") is None
        assert note["units"]["mixed"] == []
        parts = note["units"]["parts"]
        assert all(part["unit"] for part in parts.values())
        frozen = {part for part in parts if not parts[part]["gradient"]}
        assert frozen == {"encoders.image", "generation_tokenizer"}


def test_low_rank_updates_train_where_weights_are_sharded(ran: dict[str, list[dict[str, Any]]]) -> None:
    from janus_core.checkpoints.own import load_checkpoint

    notes = ran["fsdp lora"]
    assert [note.get("error") for note in notes] == [None, None]
    for folder in ("checkpoint", "best"):
        built, _, _ = load_checkpoint(notes[0]["out"] / folder)
        updates = {name: tensor for name, tensor in built.model.state_dict().items() if "lora_B" in name}
        assert updates
        assert all(tensor.any() for tensor in updates.values())
    trained = {name: tensor for name, tensor in notes[1]["weights"].items() if "lora_B" in name}
    assert trained.keys() == updates.keys()
    assert all(torch.equal(tensor, notes[0]["weights"][name]) for name, tensor in trained.items())


def test_a_batch_smaller_than_the_processes_is_refused(tiny: ModuleType) -> None:
    values = tiny.recipe("understanding")
    values["run"]["devices"] = 4
    with pytest.raises(UserError, match="below the 4 processes"):
        tiny.validated(values)


# -- another number of processes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", ["samples", "rows"])
def test_resuming_with_another_number_of_processes(
    tiny: ModuleType, recorder: ModuleType, tmp_path: Path, unit: str
) -> None:
    """A point is turned into one of two processes; the recipe of the folder follows, as --set would have it."""
    values = tiny.recipe("understanding", steps=4)
    if unit == "rows":
        values["stages"][0] |= {"batch_unit": "rows", "row_tokens": 300}
    values["run"] |= {"checkpoint_every": 2}
    with recorder.recorded(kill_after=3), pytest.raises(recorder.Killed):
        tiny.train(values, tmp_path / "out")
    (facts,) = (tmp_path / "out" / "points").glob("*.json")
    facts.write_text(json.dumps(json.loads(facts.read_text(encoding="utf-8")) | {"processes": 2}), encoding="utf-8")
    said: list[str] = []
    if unit == "rows":
        with pytest.raises(UserError, match="begun with 2") as caught:
            tiny.train(values, tmp_path / "out", resume=True)
        assert "2 processes" in str(caught.value.remedy)
        return
    resumed = tiny.train(values, tmp_path / "out", resume=True, say=said.append)
    assert any("not bit by bit" in line for line in said)
    whole = tiny.train(values, tmp_path / "whole")
    assert tiny.differing(tiny.weights(whole.built.model), tiny.weights(resumed.built.model)) == []


@pytest.mark.parametrize(
    ("variables", "rank"),
    [
        ({}, 0),
        ({"RANK": "3", "SLURM_PROCID": "0"}, 3),
        ({"SLURM_PROCID": "5"}, 5),
        ({"LOCAL_RANK": "1"}, 1),
        ({"NODE_RANK": "2", "LOCAL_RANK": "1"}, 5),
        ({"SLURM_PROCID": "0", "LOCAL_RANK": "1"}, 1),  # Lightning's own launcher within a job of one task
    ],
)
def test_the_rank_is_known_before_the_processes_talk(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], rank: int
) -> None:
    for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert begun_as(RunConfig(devices=2, nodes=3)) == rank
    assert begun_as(RunConfig()) == 0


# -- through the program ----------------------------------------------------------------------------------------------


def janus(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "janus_core", *arguments]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("JANUS_", "SLURM_"))}
    return subprocess.run(
        command, env=clean | {"OMP_NUM_THREADS": "1"} | environment, capture_output=True, text=True, timeout=600
    )


@pytest.mark.slow
def test_lightnings_own_launcher(tiny: ModuleType, tmp_path: Path) -> None:
    """``janus train --set run.devices=2`` starts the second process itself, once for all stages."""
    recipe = tiny.write(tiny.three_stages(tiny.recipe("both")), tmp_path / "r.yaml")
    result = janus("train", str(recipe), "--out", str(tmp_path / "two"), "--no-progress", "--set", "run.devices=2")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("trained:") == 1
    assert result.stderr.count("stage 1 of 3") == 1
    record = json.loads((tmp_path / "two" / "run.json").read_text(encoding="utf-8"))
    assert record["processes"] == 2
    assert list(record["stages"]) == ["stage1", "stage2", "stage3"]
    from janus_core.checkpoints.own import load_checkpoint

    alone = tiny.train(tiny.load(recipe), tmp_path / "one")
    two, _, _ = load_checkpoint(tmp_path / "two")
    assert apart(tiny.weights(alone.built.model), tiny.weights(two.model), 1e-3) == []


@pytest.mark.slow
def test_slurm_takes_the_machine_away_and_runs_the_job_again(tiny: ModuleType, tmp_path: Path) -> None:
    """SIGUSR1 in a job: saved, put back into the queue, exit code 130; the same script goes on."""
    values = tiny.recipe("both", steps=60)
    values["run"] |= {"checkpoint_every": 2}
    recipe, out, asked = tiny.write(values, tmp_path / "r.yaml"), tmp_path / "out", tmp_path / "asked"
    (tmp_path / "bin").mkdir()
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {shlex.quote(str(asked))}\n', encoding="utf-8")
    scontrol.chmod(0o755)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("JANUS_", "SLURM_"))} | {
        "SLURM_JOB_ID": "4711",
        "OMP_NUM_THREADS": "1",
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
    }
    arguments = ["train", str(recipe), "--out", str(out), "--no-progress", "--resume"]
    with subprocess.Popen(
        [sys.executable, "-m", "janus_core", *arguments], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        until = time.monotonic() + 300
        while not list((out / "points").glob("*.json")):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(signal.SIGUSR1)
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 130, errors
    assert asked.read_text(encoding="utf-8") == "requeue 4711\n"
    assert "back in SLURM's queue" in errors
    assert "--resume" in errors
    again = janus(*arguments)
    assert again.returncode == 0, again.stderr
    assert "resuming at step" in again.stderr
    from janus_core.checkpoints.own import load_checkpoint

    whole = tiny.train(tiny.load(recipe), tmp_path / "whole")
    built, _, _ = load_checkpoint(out)
    assert apart(tiny.weights(whole.built.model), tiny.weights(built.model), 1e-3) == []


# -- what only a GPU shows --------------------------------------------------------------------------------------------


@pytest.mark.gpu
@pytest.mark.parametrize("strategy", ["auto", "fsdp"])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_gpu_trains(tiny: ModuleType, tmp_path: Path, strategy: str, precision: str) -> None:
    values = tiny.recipe("both", steps=3)
    values["stages"][0] |= {"ema": 0.5}
    values["run"] |= {"accelerator": "gpu", "strategy": strategy, "precision": precision}
    session = tiny.train(values, tmp_path / "out")
    cpu = tiny.train(tiny.recipe("both", steps=3), tmp_path / "cpu")
    assert tiny.differing(tiny.weights(session.built.model), tiny.weights(cpu.built.model))
    assert all(tensor.isfinite().all() for tensor in tiny.weights(session.built.model).values())


@pytest.mark.gpu
def test_compiled_blocks_learn_alike_on_a_gpu(tiny: ModuleType, recorder: ModuleType, tmp_path: Path) -> None:
    losses = []
    for compiled in (False, True):
        values = tiny.recipe("both", steps=3)
        values["run"] |= {"accelerator": "gpu", "compile": compiled}
        tiny.train(values, tmp_path / str(compiled))
        losses.append([float(row["loss"]) for row in recorder.metrics(tmp_path / str(compiled)).values()])
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


@pytest.mark.gpu
def test_two_gpus_learn_what_one_learns(tiny: ModuleType, tmp_path: Path) -> None:
    """NCCL, through Lightning's launcher."""
    if torch.cuda.device_count() < 2:
        pytest.skip(f"needs 2 GPUs, torch finds {torch.cuda.device_count()}")
    values = tiny.recipe("both", steps=3)
    values["run"] |= {"accelerator": "gpu"}
    recipe = tiny.write(values, tmp_path / "r.yaml")
    alone = tiny.train(values, tmp_path / "one")
    result = janus("train", str(recipe), "--out", str(tmp_path / "two"), "--no-progress", "--set", "run.devices=2")
    assert result.returncode == 0, result.stderr
    from janus_core.checkpoints.own import load_checkpoint

    two, _, _ = load_checkpoint(tmp_path / "two")
    assert apart(tiny.weights(alone.built.model), tiny.weights(two.model), 1e-2) == []
