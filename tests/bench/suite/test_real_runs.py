"""Every benchmark of the suite with a real, tiny model: asked or drawn, stopped, gone on, scored from its files."""

from __future__ import annotations

import csv
import json
import shutil
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from janus_bench.chosen import ChosenBenchmark, chosen_benchmark
from janus_bench.rescore import score_files
from janus_bench.run import How, run_benchmarks
from janus_bench.stored import card_folder
from janus_bench.work import KEPT, PREDICTIONS
from janus_core.config.recipe import ComponentChoice
from janus_core.inference.session import Session

FIXTURES = Path(__file__).parents[2] / "fixtures" / "evaluation"
PIXELS = {"extractor": "pixels", "spread_groups": 0, "kid_subset_size": 4}


@pytest.fixture(scope="module")
def session(tiny: ModuleType) -> Session:
    built = tiny.build(tiny.recipe("both", image_size=32))
    built.model.eval()
    return Session(built, "tiny one", {"recipe": "tiny"})


def copied(*names: str) -> Any:
    def lay(data: Path) -> None:
        for name in names:
            source = FIXTURES / name
            if source.is_dir():
                shutil.copytree(source, data / source.name)
            else:
                shutil.copy(source, data / source.name)

    return lay


def mme(data: Path) -> None:
    for file in sorted((FIXTURES / "mme" / "results").glob("*.txt")):
        asked: dict[str, list[str]] = defaultdict(list)
        for line in file.read_text().split("\n"):
            if line:
                picture, question, truth = line.split("\t")[:3]
                asked[picture].append(f"{question}\t{truth}\n")
        for picture, lines in asked.items():
            (data / file.stem).mkdir(exist_ok=True)
            Image.new("RGB", (20, 20)).save(data / file.stem / picture)
            (data / file.stem / picture).with_suffix(".txt").write_text("".join(lines))


def mmmu(data: Path) -> None:
    rows = []
    for number, (truth, kind) in enumerate((("A", "multiple-choice"), ("12", "open"), ("B", "multiple-choice"))):
        options = "['one', 'two']" if kind == "multiple-choice" else "[]"
        row = {"id": f"validation_Art_{number + 1}", "question": "<image 1> which?", "options": options}
        rows.append(row | {"answer": truth, "question_type": kind, "image_1": f"{number}.png"})
    (data / "validation.json").write_text(json.dumps(rows))


def coco(data: Path) -> None:
    with (data / "coco_captions.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["Prompt"], *([f"a cat, number {i}"] for i in range(5))])
    noise(data / "val2014")


def mjhq(data: Path) -> None:
    meta = {f"id{i}": {"category": "animals" if i % 2 else "food", "prompt": f"picture {i}"} for i in range(6)}
    (data / "meta_data.json").write_text(json.dumps(meta))
    for name, record in meta.items():
        noise(data / "imgs" / record["category"], [name])


def noise(folder: Path, names: list[str] | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or [f"{i}" for i in range(6)]:
        pixels = np.random.default_rng(sum(map(ord, name))).integers(0, 255, (24, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.jpg")


LAYOUTS: dict[str, Any] = {
    "pope@random": copied("pope/coco"),
    "pope@mean3": copied("pope/coco"),
    "mme": mme,
    "mmbench@vanilla": copied("mmbench/mmbench_dev_en.tsv"),
    "mmbench@circular": copied("mmbench/mmbench_dev_en.tsv"),
    "seed@letter": copied("seedbench/SEED-Bench.json"),
    "seed@likelihood-img": copied("seedbench/SEED-Bench.json"),
    "vqav2": copied("vqav2/v2_OpenEnded_mscoco_val2014_questions.json", "vqav2/v2_mscoco_val2014_annotations.json"),
    "gqa": copied("gqa/testdev_balanced_questions.json", "gqa/testdev_balanced_choices.json"),
    "mmmu": mmmu,
    "mmvet": copied("mmvet/mm-vet.json"),
    "geneval": copied("geneval/evaluation_metadata.jsonl"),
    "coco30k": coco,
    "mjhq30k": mjhq,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "mmvet": {"judge": {"type": "rule"}},
    "geneval": {"images_per_prompt": 2, "detector": "stand-in"},
    "coco30k": PIXELS,
    "mjhq30k": PIXELS,
}
STAND_INS = {"mmvet", "geneval", "coco30k", "mjhq30k"}


def chosen(name: str) -> ChosenBenchmark:
    return chosen_benchmark(ComponentChoice(type=name, options=OPTIONS.get(name, {})))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_run_goes_on_and_its_files_give_the_same_card(
    name: str, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, benchmark = tmp_path / "data", chosen(name)
    data.mkdir()
    LAYOUTS[name](data)
    built = cast(Any, benchmark.build())
    if hasattr(built, "questions"):
        for question in built.questions(benchmark.protocol.name, data):
            for image in question.images:
                if isinstance(image, Path):
                    image.parent.mkdir(parents=True, exist_ok=True)
                    Image.new("RGB", (20, 30), "teal").save(image, format="JPEG")
    how = How(data=data, batch_size=4)
    (whole,) = run_benchmarks([benchmark], session, how, tmp_path / "whole")

    calls = 0
    for method in ("answer", "losses", "draw"):
        original = getattr(Session, method)

        def counted(self: Session, *args: Any, original: Any = original, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise KeyboardInterrupt
            return original(self, *args, **kwargs)

        monkeypatch.setattr(Session, method, counted)
    if calls_needed(whole) > 1:
        with pytest.raises(KeyboardInterrupt):
            run_benchmarks([benchmark], session, how, tmp_path / "stopped")
    (again,) = run_benchmarks([benchmark], session, how, tmp_path / "stopped")
    assert (again.card.scores, again.card.items) == (whole.card.scores, whole.card.items)
    assert again.intervals == whole.intervals

    assert whole.card.protocol == benchmark.id
    assert whole.card.scores
    assert bool(whole.card.stand_in) == (name in STAND_INS)
    if hasattr(built, "questions"):
        assert whole.card.settings["prompts"]
        assert whole.card.missing == 0
    else:
        assert whole.card.settings["seed"] == 0
    values = built.aggregate(benchmark.protocol.name, whole.card.items)
    for score in whole.card.scores:
        if score.name in values:
            assert values[score.name] == pytest.approx(score.value, rel=1e-9, nan_ok=True)
    folder = card_folder(tmp_path / "whole", benchmark.id) / PREDICTIONS
    assert any(folder.iterdir())


def calls_needed(stored: Any) -> int:
    return -(-len(stored.card.items) // 4)


@pytest.mark.parametrize("name", ["pope@mean3", "mmbench@circular", "vqav2", "gqa"])
def test_official_files_of_a_run_are_scored_alike(name: str, session: Session, tmp_path: Path) -> None:
    """What a run writes for other toolkits, our own scorer reads back to the same numbers."""
    data, benchmark = tmp_path / "data", chosen(name)
    data.mkdir()
    LAYOUTS[name](data)
    built = cast(Any, benchmark.build())
    questions = built.questions(benchmark.protocol.name, data)
    for image in {image for question in questions for image in question.images if isinstance(image, Path)}:
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 30), "teal").save(image, format="JPEG")
    (whole,) = run_benchmarks([benchmark], session, How(data=data), tmp_path / "run")
    answers = {question.id: answer for question, answer in zip(questions, kept(tmp_path / "run"), strict=True)}
    (tmp_path / "files").mkdir()
    predictions, annotations = built.write(benchmark.protocol.name, data, answers, tmp_path / "files")
    stored = score_files(benchmark, predictions, annotations, "again")
    assert (stored.card.scores, stored.card.items) == (whole.card.scores, whole.card.items)


def kept(run: Path) -> list[str]:
    (file,) = run.glob(f"*/{KEPT}/answers.jsonl")
    return [answer for line in file.read_text().split("\n") if line for answer in json.loads(line)["results"]]
