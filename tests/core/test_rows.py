"""Packing changes neither what is learned nor in what order: rows against single samples, and against one long row."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from janus_core.data.loader import StageDataset
from janus_core.data.mixture import Draw, Mixture
from janus_core.data.sources import build_sources
from janus_core.data.steps import LOOK_AHEAD, Steps
from janus_core.sequence.assemble import Assembled
from janus_core.sequence.pack import pack
from janus_core.sequence.rows import all_rows, first_row

# -- which samples share a row ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_every_sample_is_in_one_row_and_no_row_is_too_long(seed: int) -> None:
    chance = random.Random(seed)
    budget = chance.randint(1, 60)
    lengths = [chance.randint(1, budget) for _ in range(chance.randint(1, 50))]
    rows = all_rows(lengths, budget)
    assert sorted(index for row in rows for index in row) == list(range(len(lengths)))
    assert all(sum(lengths[index] for index in row) <= budget for row in rows)
    assert all(row == sorted(row) for row in rows)
    # A row takes whatever fits when its turn has come, so that no later row's first sample fits into an earlier row.
    for at, row in enumerate(rows):
        room = budget - sum(lengths[index] for index in row)
        assert all(lengths[index] > room for later in rows[at + 1 :] for index in later)
    # The one that waited longest begins the next row: it never waits for more than the rows before it.
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)


@pytest.mark.parametrize("seed", range(20))
def test_the_oldest_never_starves(seed: int) -> None:
    """In an endless stream a sample is in a row at the latest when all that were before it have begun one."""
    chance = random.Random(seed)
    waiting: list[tuple[int, int]] = []
    came = 0
    for turn in range(200):
        while len(waiting) < 8:
            waiting.append((came, chance.choice([1, 2, 30])))
            came += 1
        row = first_row([length for _, length in waiting], 30)
        assert row[0] == 0
        assert waiting[0][0] <= turn * 8  # at worst one a turn
        waiting = [entry for index, entry in enumerate(waiting) if index not in row]
    assert len(waiting) <= 8


def test_without_a_budget_all_lie_in_one_row_and_nothing_gives_none() -> None:
    assert all_rows([3, 900, 2], None) == [[0, 1, 2]]
    assert all_rows([], None) == all_rows([], 10) == []


# -- a stream of rows -------------------------------------------------------------------------------------------------


def steps_of(tiny: ModuleType, folder: Path, **place: Any) -> Steps:
    values = tiny.recipe("generation", text=True, steps=8)
    lines = "".join(f'{{"text": "{"x" * (1 + 7 * n % 90)}"}}\n' for n in range(900))
    (folder / "lines.jsonl").write_text(lines, encoding="utf-8")
    values["sources"] = {"text": {"type": "text_jsonl", "options": {"path": "lines.jsonl"}}}
    values["stages"][0] |= {"mixture": {"text": 1}, "data": {"text": ["text"]}, "batch_unit": "rows", "batch_size": 3}
    values["stages"][0]["row_tokens"] = 200
    recipe = tiny.validated(values)
    built = tiny.build(values)
    dataset = StageDataset(build_sources(recipe.sources, ["text"], folder), built.assembler, seed=0)
    (stage,) = recipe.stages
    return Steps(stage, Mixture(stage.mixture, stage.data), dataset, built.assembler, workers=0, **place)


def test_a_stream_leaves_no_sample_out_and_gives_none_twice(tiny: ModuleType, tmp_path: Path) -> None:
    steps = list(steps_of(tiny, tmp_path))
    used = [id_ for step in steps for row in step.rows for id_ in row.sample_ids]
    assert len(used) == len(set(used)) > 60
    assert all(len(step.rows) == 3 for step in steps)
    assert all(sum(row.lengths) <= 200 for step in steps for row in step.rows)
    mean = sum(sum(row.lengths) for step in steps for row in step.rows) / 24
    assert mean > 185  # it is filled from those that wait
    place = steps[-1].place
    assert place is not None
    assert place.taken == len(used) + len(place.waiting)
    assert len(place.waiting) < LOOK_AHEAD


@pytest.mark.silent_failure(13)
@pytest.mark.parametrize("after", [1, 4, 7])
def test_a_stream_goes_on_from_a_place(tiny: ModuleType, tmp_path: Path, after: int) -> None:
    whole = list(steps_of(tiny, tmp_path))
    rest = list(steps_of(tiny, tmp_path, start=after, place=whole[after - 1].place))
    assert [[row.sample_ids for row in step.rows] for step in rest] == [
        [row.sample_ids for row in step.rows] for step in whole[after:]
    ]
    assert rest[-1].place == whole[-1].place


@pytest.mark.silent_failure(25)
def test_processes_share_a_stream_without_overlap(tiny: ModuleType, tmp_path: Path) -> None:
    parts = [list(steps_of(tiny, tmp_path, rank=rank, world=2)) for rank in range(2)]
    assert {tuple(len(step.rows) for step in steps) for steps in parts} == {(1,) * 8, (2,) * 8}
    used = [{id_ for step in steps for row in step.rows for id_ in row.sample_ids} for steps in parts]
    assert not used[0] & used[1]


# -- a sample and its neighbours --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tiny: ModuleType) -> Any:
    found = tiny.build(tiny.recipe("both", text=True))
    found.model.set_trained(["*"])
    found.model.eval()
    return found


@pytest.fixture(scope="module")
def samples(tiny: ModuleType, built: Any) -> dict[str, list[Assembled]]:
    """Three of each task."""
    recipe = tiny.validated(tiny.recipe("both", text=True))
    dataset = StageDataset(build_sources(recipe.sources, list(recipe.sources), Path()), built.assembler, seed=0)
    tasks: list[Any] = ["understanding", "text", "generation"]
    return {task: [dataset[Draw(task, task, number)][0] for number in range(3)] for task in tasks}


def learned(built: Any, parts: Sequence[Assembled], task: Any, isolate: bool = True) -> tuple[float, dict[str, Any]]:
    """The summed loss of a task and its gradients."""
    transforms = {route: item.transform for route, item in built.assembler.routes.items()}
    row = pack(parts, transforms, built.assembler.target_transform, isolate=isolate)
    built.model.zero_grad()
    loss = built.model(row).sums[task]
    loss.backward()
    gradients = {n: p.grad.clone() for n, p in built.model.named_parameters() if p.grad is not None}
    return float(loss.detach()), gradients


def close(first: dict[str, Any], second: dict[str, Any], relative: float = 1e-5) -> list[str]:
    """Names of the gradients that differ by more than this part of their norm."""
    names = first.keys() | second.keys()
    zero = torch.zeros(())
    pairs = {name: (first.get(name, zero), second.get(name, zero)) for name in names}
    return sorted(name for name, (a, b) in pairs.items() if float((a - b).norm()) > relative * float(a.norm()) + 1e-9)


@pytest.mark.silent_failure(11)
@pytest.mark.parametrize("task", ["understanding", "text", "generation"])
def test_neighbours_change_neither_loss_nor_gradient(
    built: Any, samples: dict[str, list[Assembled]], task: str
) -> None:
    sample = samples[task][0]
    others = [
        replace(other, text_targets=[]) for name in samples if name != "generation" for other in samples[name][1:]
    ]
    if task != "generation":
        others.append(samples["generation"][1])  # it has a loss of its own
    loss, gradients = learned(built, [sample], task)
    among, its = learned(built, [*others, sample, *others], task)
    assert among == pytest.approx(loss, rel=1e-5)
    assert len(gradients) > 10
    assert close(gradients, {name: its[name] for name in gradients}) == []
    unused = {name: gradient for name, gradient in its.items() if name not in gradients}
    assert not any(gradient.any() for gradient in unused.values())
    seen, _ = learned(built, [*others, sample], task, isolate=False)
    assert seen != pytest.approx(loss, rel=2e-5)  # a row that is one causal sequence is another thing


# -- one step ---------------------------------------------------------------------------------------------------------


@pytest.mark.silent_failure(12)
@pytest.mark.parametrize(
    ("normalisation", "weights"), [("tokens", {}), ("tasks", {"generation": 0.3, "text": 2.0}), ("tokens", {"text": 3})]
)
def test_many_rows_are_one_long_row(
    tiny: ModuleType, recorder: ModuleType, tmp_path: Path, normalisation: str, weights: dict[str, float]
) -> None:
    """Losses and gradients of a step, however many passes it takes and however uneven they are."""
    seen, metrics, rows = [], [], []
    for budget in (None, 260, 400):
        values = tiny.recipe("both", text=True, steps=1)
        values["stages"][0] |= {"row_tokens": budget, "batch_size": 9, "clip": 1e9, "task_weights": weights}
        values["stages"][0]["loss_normalisation"] = normalisation
        with recorder.recorded() as record:
            tiny.train(values, tmp_path / str(budget))
        seen.append(record)
        metrics.append(recorder.metrics(tmp_path / str(budget))[0])
        rows.append(len(record.ids[0]))
    assert rows[0] == 1 < rows[2] < rows[1]
    for record, other in zip(seen[1:], metrics[1:], strict=True):
        assert record.samples(0) == seen[0].samples(0)
        for name in ("loss", "loss/understanding", "loss/text", "loss/generation", "gradient_norm"):
            assert float(other[name]) == pytest.approx(float(metrics[0][name]), rel=1e-5)
        assert len(record.gradients[0]) > 10
        assert close(seen[0].gradients[0], record.gradients[0]) == []
    by_task = {task: float(metrics[0][f"loss/{task}"]) for task in ("understanding", "text", "generation")}
    if normalisation == "tasks":
        wanted = sum(weights.get(task, 1.0) * value for task, value in by_task.items())
        assert float(metrics[0]["loss"]) == pytest.approx(wanted, rel=1e-5)


def test_a_row_may_pass_through_frozen_parts_alone(tiny: ModuleType, tmp_path: Path) -> None:
    """Text has nothing to train where the language model is frozen; its loss is measured all the same."""
    values = tiny.recipe("understanding", text=True, steps=2)
    values["stages"][0] |= {"train": ["adapters.*"], "row_tokens": 200, "batch_size": 4}
    before = tiny.weights(tiny.build(values).model.adapters)
    session = tiny.train(values, tmp_path / "out")
    assert tiny.differing(before, tiny.weights(session.built.model.adapters))
