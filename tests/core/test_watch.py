"""What a run tells of itself is true, and what goes wrong stops it before the weights move."""

from __future__ import annotations

import importlib.util
import math
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from janus_core.config.recipe import SourceShare
from janus_core.data.lengths import sample_ratios
from janus_core.data.loader import StageDataset, first_sentence
from janus_core.data.mixture import Draw, Mixture
from janus_core.data.sources import build_sources
from janus_core.errors import UserError
from janus_core.interfaces import TASKS, Given, Message, Sample, Target
from janus_core.model.janus import JanusModel
from janus_core.sequence.pack import pack
from janus_core.training.module import JanusTraining
from janus_core.training.validation import Validation
from janus_core.training.watch import DECAY, SETTLED, Watch

# -- counters and speed -----------------------------------------------------------------------------------------------


def of_each(**values: int) -> dict[Any, int]:
    return {task: values.get(task, 0) for task in TASKS}


@pytest.mark.silent_failure(20)
def test_speed_is_what_was_done_by_the_time_between() -> None:
    """Not by a reading of the clock, which counts from some day long ago."""
    times = iter([1e6 - 600, 1e6, 1e6 + 2, 1e6 + 2.5])
    watch = Watch(0.0, clock=lambda: next(times))
    watch.start()
    first = watch.seen(of_each(understanding=3, text=1), of_each(understanding=90, text=10))
    assert (first["samples_per_second"], first["tokens_per_second"]) == (2.0, 50.0)
    second = watch.seen(of_each(text=1), of_each(text=10))
    assert (second["samples_per_second"], second["tokens_per_second"]) == (2.0, 20.0)
    assert (second["samples/understanding"], second["samples/text"], second["tokens/text"]) == (3, 2, 20)
    assert "samples/generation" not in second


def test_counters_and_means_go_on_after_a_resume() -> None:
    watch, other = Watch(3.0), Watch(3.0)
    for _ in range(SETTLED):
        assert watch.wrong({"text": 2.0}, 1.0) is None
    watch.seen(of_each(text=5), of_each(text=50))
    other.load(watch.state())
    assert other.seen(of_each(text=1), of_each(text=10))["tokens/text"] == 60
    wrong = other.wrong({"text": 6.1}, 1.0)
    assert wrong is not None
    assert "6.1" in wrong
    assert "mean 2" in wrong


def test_the_columns_of_the_metrics(tiny: ModuleType, recorder: ModuleType, tmp_path: Path) -> None:
    """One row a step that is due, and of a validation between two of them its own."""
    values = tiny.recipe("both", text=True, steps=5)
    values["run"]["log_every"] = 2
    values["stages"][0]["validation"] = {"every": 3, "samples": 1, "data": {"text": ["text"]}}
    tiny.train(values, tmp_path / "out")
    found = recorder.metrics(tmp_path / "out")
    assert sorted(found) == [1, 2, 3, 4]
    parts = ("adapters.image", "language_model", "code_table", "generation_adapter", "generation_head")
    wanted = {"step", "loss", "gradient_norm", "learning_rate", "bad_records", "memory_gb"}
    wanted |= {"tokens_per_second", "samples_per_second", *(f"gradient_norm/{part}" for part in parts)}
    wanted |= {f"{what}/{task}" for what in ("loss", "samples", "tokens") for task in TASKS}
    assert found[1].keys() == found[3].keys() == wanted
    assert found[2].keys() == found[4].keys() == {"step", "validation/text"}
    assert float(found[3]["samples/text"]) == 8
    assert 0.05 < float(found[3]["memory_gb"]) < 64


def test_wandb_that_is_not_installed_is_told(tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    former = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "wandb" else former(name, *a))
    values = tiny.recipe("understanding", steps=1)
    values["run"]["loggers"] = ["csv", "wandb"]
    with pytest.raises(UserError, match="wandb is not installed") as caught:
        tiny.train(values, tmp_path / "out")
    assert "pip install" in str(caught.value.remedy)
    assert not (tmp_path / "out").exists()


# -- gradients --------------------------------------------------------------------------------------------------------


def test_the_norm_of_each_part(tiny: ModuleType, recorder: ModuleType, tmp_path: Path) -> None:
    values = tiny.recipe("both", steps=1)
    values["stages"][0]["clip"] = 1e9
    with recorder.recorded() as record:
        session = tiny.train(values, tmp_path / "out")
    row = recorder.metrics(tmp_path / "out")[0]
    squares: Counter[str] = Counter()
    for name, gradient in record.gradients[0].items():
        (part,) = [part for part in session.built.model.parts() if name.startswith(f"{part}.")]
        squares[part] += float((gradient.double() ** 2).sum())
    assert len(squares) == 5
    for part, square in squares.items():
        assert float(row[f"gradient_norm/{part}"]) == pytest.approx(math.sqrt(square), rel=1e-5)
    assert float(row["gradient_norm"]) == pytest.approx(math.sqrt(sum(squares.values())), rel=1e-5)


def same_steps(
    tiny: ModuleType, recorder: ModuleType, folder: Path, *runs: dict[str, Any]
) -> list[tuple[list[float], dict[str, Any]]]:
    """Losses and the last gradients of two steps, with these settings of the run."""
    found = []
    for number, run in enumerate(runs):
        values = tiny.recipe("both", steps=2)
        values["run"] |= run
        with recorder.recorded(dropout=0.2) as record:
            tiny.train(values, folder / str(number))
        losses = [float(row["loss"]) for row in recorder.metrics(folder / str(number)).values()]
        found.append((losses, record.gradients[1]))
    return found


def test_recomputed_blocks_learn_alike(
    tiny: ModuleType, recorder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from janus_core.training import blocks

    recomputed: list[Any] = []
    former = blocks.checkpoint
    monkeypatch.setattr(blocks, "checkpoint", lambda *a, **k: (recomputed.append(a), former(*a, **k))[1])
    plain, saving = same_steps(tiny, recorder, tmp_path, {}, {"gradient_checkpointing": True})
    assert recomputed
    assert saving[0] == pytest.approx(plain[0], rel=1e-6)
    for name, gradient in plain[1].items():
        torch.testing.assert_close(saving[1][name], gradient, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_compiled_blocks_learn_alike(tiny: ModuleType, recorder: ModuleType, tmp_path: Path) -> None:
    plain, compiled = same_steps(tiny, recorder, tmp_path, {}, {"compile": True})
    assert compiled[0] == pytest.approx(plain[0], rel=1e-4)


def test_half_precision_trains_on_a_cpu(tiny: ModuleType, recorder: ModuleType, tmp_path: Path) -> None:
    full, half = same_steps(tiny, recorder, tmp_path, {}, {"precision": "bf16-mixed"})
    assert half[0] != full[0]
    assert half[0] == pytest.approx(full[0], rel=2e-2)
    assert {gradient.dtype for gradient in half[1].values()} == {torch.float32}


# -- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The loss of one sample is multiplied once a step is reached: ``poison |= {step, sample, factor}``."""
    chosen: dict[str, Any] = {}
    step, forward = JanusTraining.training_step, JanusModel.forward

    def training_step(self: Any, loaded: Any, index: int) -> None:
        chosen["now"] = self.global_step
        if chosen["now"] == chosen["step"]:
            chosen["sample"] = loaded.rows[-1].sample_ids[-1]
            chosen["before"] = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
            chosen["model"] = self.model
        step(self, loaded, index)

    def poisoned(self: Any, batch: Any) -> Any:
        losses = forward(self, batch)
        if chosen["now"] == chosen["step"] and chosen["sample"] in batch.sample_ids:
            losses.sums = {task: value * chosen["factor"] for task, value in losses.sums.items()}
        return losses

    monkeypatch.setattr(JanusTraining, "training_step", training_step)
    monkeypatch.setattr(JanusModel, "forward", poisoned)
    return chosen


@pytest.mark.parametrize(
    ("factor", "settings"), [(math.nan, {"row_tokens": 300}), (math.inf, {}), (1e4, {"row_tokens": 300})]
)
def test_a_broken_step_moves_nothing_and_names_the_samples(
    tiny: ModuleType,
    tmp_path: Path,
    poison: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    factor: float,
    settings: dict[str, Any],
) -> None:
    spikes = math.isfinite(factor)
    monkeypatch.setattr("janus_core.training.watch.SETTLED", 2)
    values = tiny.recipe("understanding", steps=6)
    values["stages"][0] |= {"batch_size": 5} | settings
    values["run"] |= {"spike": 4.0, "checkpoint_every": 3}
    poison |= {"step": 4, "factor": factor, "sample": None}
    with pytest.raises(UserError, match="stage one, step 4") as caught:
        tiny.train(values, tmp_path / "out")
    told = caught.value.what.splitlines()
    assert ("running mean" if spikes else f"the loss of understanding is {factor}") in told[0]
    assert told[2].strip().startswith(poison["sample"])
    assert 5 <= len(told[2:]) <= 8
    assert "--resume" in str(caught.value.remedy)
    assert tiny.differing(poison["before"], dict(poison["model"].state_dict())) == []
    poison["step"] = -1  # mended
    said: list[str] = []
    tiny.train(values, tmp_path / "out", resume=True, say=said.append)
    assert "resuming at step 3 of 6" in said


def test_a_gradient_that_is_not_finite_stops_too() -> None:
    watch = Watch(0.0)
    assert watch.wrong({"text": 1.0}, 3.0) is None
    wrong = watch.wrong({"text": 1.0}, math.inf)
    assert wrong == "the norm of the gradient is inf"


def test_a_leap_counts_only_above_the_limit_and_after_a_while() -> None:
    watch = Watch(2.0)
    for step in range(SETTLED):
        assert watch.wrong({"text": 1.0 if step else 9.0}, 1.0) is None
    mean = 9.0 * DECAY ** (SETTLED - 1) + (1 - DECAY ** (SETTLED - 1))
    assert watch.wrong({"text": 1.99 * mean}, 1.0) is None
    assert watch.wrong({"text": 2.2 * mean, "understanding": 99.0}, 1.0) is not None
    assert Watch(0.0).wrong({"text": 1e30}, 1.0) is None


# -- average, validation ----------------------------------------------------------------------------------------------


def test_the_average_is_what_a_hand_computes_and_the_stage_ends_with_it(
    tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, torch.Tensor]] = []
    step = JanusTraining.training_step

    def training_step(self: Any, loaded: Any, index: int) -> None:
        if not seen:
            seen.append(tiny.weights(self.model))
        step(self, loaded, index)
        seen.append(tiny.weights(self.model))

    monkeypatch.setattr(JanusTraining, "training_step", training_step)
    values = tiny.recipe("understanding", steps=3)
    values["stages"][0]["ema"] = 0.8
    trained = tiny.weights(tiny.train(values, tmp_path / "out").built.model)
    moved = [name for name in trained if not torch.equal(seen[0][name], seen[-1][name])]
    assert len(moved) > 10
    for name in trained:
        average = seen[0][name]
        for weights in seen[1:]:
            average = 0.8 * average + 0.2 * weights[name] if name in moved else weights[name]
        torch.testing.assert_close(trained[name], average, rtol=1e-5, atol=1e-7)
    assert all(not torch.equal(trained[name], seen[-1][name]) for name in moved)


@pytest.mark.silent_failure(7)
def test_validation_measures_what_it_says_and_leaves_no_trace(
    tiny: ModuleType, recorder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After three steps with validation what is frozen is in eval mode and unchanged, what trains is in train mode."""
    values = tiny.recipe("both", steps=3)
    values["stages"][0] |= {"condition_drop": 1.0, "first_sentence": 1.0, "row_tokens": 300}
    plain = tiny.train(values, tmp_path / "plain")
    names = {task: [task] for task in tiny.TASKS["both"]}
    values["stages"][0]["validation"] = {"every": 1, "samples": 3, "data": names}
    modes: list[dict[str, bool]] = []
    models: list[dict[str, torch.Tensor]] = []
    measure = Validation.measure

    def measured(self: Any, module: Any) -> Any:
        models.append(tiny.weights(module.model))
        found = measure(self, module)
        modes.append({name: part.training for name, part in module.model.parts().items()})
        return found

    monkeypatch.setattr(Validation, "measure", measured)
    session = tiny.train(values, tmp_path / "out")
    frozen = {"encoders.image", "generation_tokenizer"}
    assert len(modes) == 3
    assert all({name for name, training in mode.items() if not training} == frozen for mode in modes)
    assert tiny.differing(tiny.weights(plain.built.model), tiny.weights(session.built.model)) == []
    before = tiny.weights(tiny.build(values).model)
    assert all(torch.equal(before[n], models[-1][n]) for n in before if n.startswith(tuple(f"{f}." for f in frozen)))

    recipe = tiny.validated(values)
    built = tiny.build(values)
    built.model.eval()
    dataset = StageDataset(build_sources(recipe.sources, list(names), Path()), built.assembler, seed=recipe.seed)
    routes = {route: item.transform for route, item in built.assembler.routes.items()}
    for step in range(3):
        built.model.load_state_dict(models[step])
        row = recorder.metrics(tmp_path / "out")[step]
        for task in names:
            losses = [
                built.model(pack([dataset[Draw(task, task, number)][0]], routes, built.assembler.target_transform))
                for number in range(3)
            ]
            total = sum(float(loss.sums[task].detach()) for loss in losses)
            mean = total / sum(loss.counts[task] for loss in losses)
            assert float(row[f"validation/{task}"]) == pytest.approx(mean, rel=1e-5)


# -- the mixture ------------------------------------------------------------------------------------------------------


def dataset_of(tiny: ModuleType, values: dict[str, Any]) -> tuple[Any, StageDataset]:
    recipe = tiny.validated(values)
    built = tiny.build(values)
    sources = build_sources(recipe.sources, list(recipe.sources), Path())
    return recipe.stages[0], StageDataset(sources, built.assembler, seed=0)


def test_a_ratio_in_tokens_is_met(tiny: ModuleType) -> None:
    values = tiny.recipe("both", text=True)
    values["stages"][0] |= {"mixture": {"understanding": 5, "text": 1, "generation": 4}, "mixture_unit": "tokens"}
    stage, dataset = dataset_of(tiny, values)
    ratios = sample_ratios(stage, dataset)
    tokens: Counter[str] = Counter()
    for _, draw in zip(range(600), Mixture(ratios, stage.data).draws(), strict=False):
        tokens[draw.task] += len(dataset[draw][0].ids)
    total = sum(tokens.values())
    shares = {task: tokens[task] / total for task in ("understanding", "text", "generation")}
    assert shares == pytest.approx({"understanding": 0.5, "text": 0.1, "generation": 0.4}, rel=0.05)
    stage, dataset = dataset_of(tiny, values | {"stages": [values["stages"][0] | {"mixture_unit": "samples"}]})
    assert sample_ratios(stage, dataset) == {"understanding": 5, "text": 1, "generation": 4}


def test_sources_come_and_go_with_their_steps() -> None:
    shares = {
        "a": SourceShare(weight=1, last_step=4),
        "b": SourceShare(weight=3, first_step=2),
        "c": SourceShare(weight=1, first_step=4),
    }
    by_step: list[Counter[str]] = [Counter() for _ in range(8)]
    for place, draw in zip(range(8 * 8), Mixture({"text": 1.0}, {"text": shares}, 8).draws(), strict=False):
        by_step[place // 8][draw.source] += 1
    assert by_step[:2] == [Counter(a=8)] * 2
    assert by_step[2:4] == [Counter(a=2, b=6)] * 2  # no catching up
    assert by_step[4:] == [Counter(b=6, c=2)] * 4


def test_a_step_without_any_source_is_refused(tiny: ModuleType) -> None:
    values = tiny.recipe("understanding", steps=5)
    values["stages"][0]["data"] = {"understanding": {"understanding": {"last_step": 3}}}
    with pytest.raises(UserError, match="no source gives understanding at step 3"):
        tiny.validated(values)


class TwoSentences:
    """Drawings, and questions, whose texts are two sentences."""

    def __init__(self, task: Any, picture: Any) -> None:
        self.task, self.picture = task, picture

    def __len__(self) -> int:
        return 100

    def __getitem__(self, index: int) -> Sample:
        text = f"Picture {index} has a cat. It has a dog."
        drawn = (Message("user", (text,)), Message("assistant", (Target(self.picture),)))
        asked = (Message("user", (Given("image", self.picture), text)), Message("assistant", (text,)))
        return Sample(str(index), self.task, drawn if self.task == "generation" else asked)


def test_some_prompts_are_their_first_sentence(tiny: ModuleType) -> None:
    """In proportion and keyed; neither which prompts are dropped nor questions and answers are touched by it."""
    built = tiny.build(tiny.recipe("both"))
    sources = {task: TwoSentences(task, tiny.picture()) for task in tiny.TASKS["both"]}
    whole, cut, again = (
        StageDataset(sources, built.assembler, seed=0, condition_drop=0.2, first_sentence=fraction)
        for fraction in (0.0, 0.25, 0.25)
    )
    draws = [Draw("generation", "generation", number) for number in range(240)]
    texts = [[built.text.decode(data[draw][0].ids) for draw in draws] for data in (whole, cut, again)]
    assert texts[1] == texts[2]
    dropped = [number for number, text in enumerate(texts[0]) if "cat" not in text]
    assert 0.12 < len(dropped) / len(draws) < 0.28
    assert dropped == [number for number, text in enumerate(texts[1]) if "cat" not in text]
    shorter = [number for number in range(240) if "cat" in texts[1][number] and "dog" not in texts[1][number]]
    assert 0.17 < len(shorter) / (len(draws) - len(dropped)) < 0.33
    for number, (before, after) in enumerate(zip(*texts[:2], strict=True)):
        assert after == (before.replace(" It has a dog.", "") if number in shorter else before)
    asked = [Draw("understanding", "understanding", number) for number in range(40)]
    assert all(whole[draw][0].ids == cut[draw][0].ids for draw in asked)


def test_the_first_sentence_ends_at_its_mark() -> None:
    def of(text: str) -> Any:
        return first_sentence(Sample("1", "generation", (Message("user", (text,)),))).messages[0].parts[0]

    assert of(" A cat sits. A dog runs. ") == "A cat sits."
    assert of("Is it 3.5 m high? Yes!") == "Is it 3.5 m high?"
    assert of("no mark at all") == "no mark at all"
