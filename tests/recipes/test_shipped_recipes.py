"""The shipped recipes: all are found and valid, have the papers' numbers, and build at full size on the meta device.

The numbers are written here a second time, from tables 1 and 5 of Janus (arXiv:2410.13848), table 2 of Janus-Pro
(arXiv:2501.17811) and the sizes of the released models.
"""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from janus_core.checkpoints.own import build_empty
from janus_core.config.catalog import recipes_folder, shipped, studies
from janus_core.config.check import check_recipe, missing_files
from janus_core.config.choose import choose
from janus_core.config.load import load
from janus_core.config.recipe import PretrainRecipe, Recipe, SourceShare, StageConfig
from janus_core.config.yaml_file import read_yaml
from janus_core.data.mixture import Draw, Mixture
from janus_core.interfaces import Task
from janus_core.model.build import BuiltModel

JANUS = ("janus_1_3b", "janus_pro_1b", "janus_pro_7b")
ABLATIONS = tuple(f"ablations/{row}" for row in "ABCDEF")
TOKENIZER = "ablations/semantic_tokenizer"
REAL_PIECES = "real_pieces"
QUICKSTART = ("quickstart", "quickstart/encoder", "quickstart/tokenizer", "quickstart/checkpoint")

und, text, gen = "understanding", "text", "generation"
ALL = "encoders.image adapters.image language_model generation_tokenizer code_table generation_adapter generation_head"
PARTS = frozenset(ALL.split())


@cache
def recipe_of(name: str) -> Recipe:
    return load(Recipe, shipped()[name], ["text.tokenizer=bytes"])


@cache
def built_of(name: str) -> BuiltModel:
    return build_empty(recipe_of(name), shipped()[name].parent)


def stages_of(name: str) -> dict[str, StageConfig]:
    return {stage.name: stage for stage in recipe_of(name).stages}


# -- all files --------------------------------------------------------------------------------------------------------


def test_every_file_is_found() -> None:
    files = {path for path in recipes_folder().rglob("*") if path.suffix in (".yaml", ".yml")}
    assert files == {*shipped().values(), *studies().values()}
    assert set(shipped()) == {*JANUS, *ABLATIONS, *QUICKSTART, TOKENIZER, REAL_PIECES}
    assert set(studies()) == {"quickstart_ablation"}
    assert len(files) == 16


@pytest.mark.parametrize("name", tuple(shipped()))
def test_every_recipe_is_valid(name: str) -> None:
    path = shipped()[name]
    if "kind" in read_yaml(path):
        alone = load(PretrainRecipe, path)
        choose(alone.kind, alone.part, "part")
        choose("data_source", alone.source, "source")
        return
    recipe = load(Recipe, path)
    check_recipe(recipe, path.parent, files=False)
    missing = missing_files(recipe, path.parent)
    if name != REAL_PIECES:  # whose packages are installed, or not
        assert bool(missing) == (name in (*JANUS, *ABLATIONS)), missing
    assert all(line.partition(":")[0].endswith(("tokenizer", "weights", "path", "names", "images")) for line in missing)


# -- the papers' tables -----------------------------------------------------------------------------------------------

COLUMNS = ("steps", "batch_size", "learning_rate", "schedule", "warmup", "weight_decay", "ratio")
TABLES: dict[str, dict[str, tuple[Any, ...]]] = {
    "janus_1_3b": {
        "adapt": (10_000, 256, 1e-3, "cosine", 300, 0.0, (1, 0, 1)),
        "unify": (180_000, 512, 1e-4, "constant", 5_000, 0.0, (2, 3, 5)),
        "instruct": (24_000, 256, 2e-5, "constant", 0, 0.1, (7, 3, 10)),
    },
    "janus_pro_1b": {
        "adapt": (20_000, 256, 1e-3, "constant", 600, 0.0, (1, 0, 3)),
        "unify": (270_000, 512, 1e-4, "constant", 5_000, 0.0, (2, 3, 5)),
        "instruct": (80_000, 128, 4e-5, "constant", 0, 0.0, (5, 1, 4)),
    },
}
TABLES["janus_pro_7b"] = TABLES["janus_pro_1b"] | {
    "instruct": (40_000, 128, 4e-5, "constant", 0, 0.0, (5, 1, 4)),
}


@pytest.mark.parametrize("name", JANUS)
def test_the_numbers_are_the_papers(name: str) -> None:
    assert list(stages_of(name)) == ["adapt", "unify", "instruct"]
    for key, stage in stages_of(name).items():
        ratio = tuple(stage.mixture.get(task, 0) for task in (und, text, gen))
        assert (*(getattr(stage, column) for column in COLUMNS[:-1]), ratio) == TABLES[name][key]
        assert (stage.betas, stage.clip, stage.condition_drop, stage.row_tokens) == ((0.9, 0.95), 1.0, 0.1, 4096)
        assert stage.first_sentence == (0.25 if key == "unify" else 0.0)
        assert not stage.learning_rates
        assert not stage.task_weights
        assert stage.ema is None


@pytest.mark.parametrize("name", JANUS)
def test_what_the_papers_leave_open_is_written_out(name: str) -> None:
    for stage in stages_of(name).values():
        chosen = (stage.batch_unit, stage.mixture_unit, stage.isolate_samples, stage.loss_normalisation)
        assert chosen == ("samples", "samples", True, "tokens")
        assert stage.final_rate == 0.0
        assert "code_table" in stage.train or stage.train == ["*"]
    assert recipe_of(name).run.precision == "bf16-mixed"
    assert recipe_of(name).model.code_table == "tokenizer"
    roles = (recipe_of(name).text.chat.user, recipe_of(name).text.chat.assistant)
    assert roles == (("User", "Assistant") if name == "janus_1_3b" else ("<|User|>", "<|Assistant|>"))


@pytest.mark.parametrize("name", ["janus_1_3b", "janus_pro_1b"])
def test_every_number_has_its_source_beside_it(name: str) -> None:
    lines = shipped()[name].read_text(encoding="utf-8").splitlines()
    begin = lines.index("stages:")
    fields = [*COLUMNS[:-1], "betas", "clip", "mixture", "condition_drop", "row_tokens", "train"]
    found: Counter[str] = Counter()
    for line in lines[begin : lines.index(next(line for line in lines if line.startswith("samples:")))]:
        if (match := re.match(r"    (\w+):", line)) and match[1] in fields:
            assert re.search(r"#.*\[", line), line
            found[match[1]] += 1
    assert found == dict.fromkeys(fields, 3)
    open_ones = ("batch_unit", "mixture_unit", "isolate_samples", "loss_normalisation", "code_table", "seed")
    for field in open_ones:
        assert any(re.match(rf" *{field}:.*\[ours\]", line) for line in lines), field


# -- what trains, and how large it is ---------------------------------------------------------------------------------

SIZES = {
    "encoders.image": (316_283_904, 316_283_904),
    "adapters.image": (6_295_552, 20_979_712),
    "generation_tokenizer": (71_883_403, 71_883_403),
    "generation_adapter": (4_214_784, 16_818_176),
    "generation_head": (37_767_168, 83_906_560),
    "code_table": (131_072, 131_072),
    "language_model": (1_652_656_128, 6_910_365_696),
}
SEMANTIC = 71_883_403 + 85_062_912
"""VQ-16 and the semantic decoder: 12 blocks of 7,087,872, 8 -> 768 with bias, a norm."""


def from_width(width: int) -> int:
    """Parameters of a two-layer adapter to the 2048 of the language model."""
    return (width + 1) * 2048 + 2049 * 2048


SMALL = {part: sizes[0] for part, sizes in SIZES.items()}
DRAWING = ("generation_tokenizer", "generation_adapter", "generation_head", "code_table")
MODELS: dict[str, tuple[dict[str, int], int]] = {
    "janus_1_3b": (SMALL, 2_089_232_011),
    "janus_pro_1b": (SMALL, 2_089_232_011),
    "janus_pro_7b": ({part: sizes[1] for part, sizes in SIZES.items()}, 7_420_368_523),
    "ablations/A": (
        SMALL | {"encoders.image": 71_883_403, "adapters.image": from_width(8)},
        2_089_232_011 - 316_283_904 - 6_295_552 + from_width(8),
    ),
    "ablations/B": (
        SMALL | {"encoders.image": SEMANTIC, "adapters.image": from_width(768), "generation_tokenizer": SEMANTIC},
        2_089_232_011 - 316_283_904 - 6_295_552 + from_width(768) + 85_062_912,
    ),
    "ablations/C": (
        {
            "encoders.image": SEMANTIC,
            "adapters.image": from_width(768),
            "generation_tokenizer": SEMANTIC,
            "language_model": 1_652_656_128,
        },
        SEMANTIC + from_width(768) + 1_652_656_128,
    ),
    "ablations/D": (SMALL, 2_089_232_011),
    "ablations/E": ({p: n for p, n in SMALL.items() if p not in DRAWING}, 316_283_904 + 6_295_552 + 1_652_656_128),
    "ablations/F": (
        {p: n for p, n in SMALL.items() if p in (*DRAWING, "language_model")},
        2_089_232_011 - 316_283_904 - 6_295_552,
    ),
}


@pytest.mark.parametrize("name", [*JANUS, *ABLATIONS])
def test_parts_and_parameters(name: str) -> None:
    parts, total = MODELS[name]
    built = built_of(name)
    assert all(parameter.is_meta for parameter in built.model.parameters())
    assert {n: sum(p.numel() for p in part.parameters()) for n, part in built.model.parts().items()} == parts
    assert sum(parameter.numel() for parameter in built.model.parameters()) == total, "a shared module counts once"
    assert built.random == []


SHARED = ("ablations/A", "ablations/B", "ablations/C")


@pytest.mark.parametrize("name", [*JANUS, *ABLATIONS])
def test_what_each_stage_freezes_and_how_much_it_trains(name: str) -> None:
    """Section 3.2 and figure 3; a tokenizer that serves understanding stays frozen in stage 3."""
    model = built_of(name).model
    sizes = {part: sum(p.numel() for p in module.parameters()) for part, module in model.parts().items()}
    always = {"generation_tokenizer"} | ({"encoders.image"} if name in SHARED else set())
    frozen = {
        "adapt": {"encoders.image", "language_model"} | always,
        "unify": {"encoders.image"} | always,
        "instruct": always,
    }
    for key, stage in stages_of(name).items():
        assert model.set_trained(stage.train) == frozen[key] & sizes.keys()
        trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
        assert trained == sum(size for part, size in sizes.items() if part not in frozen[key])


@pytest.mark.parametrize(
    ("name", "trained"),
    [
        ("janus_1_3b", (48_408_576, 1_701_064_704, 2_017_348_608)),
        ("janus_pro_1b", (48_408_576, 1_701_064_704, 2_017_348_608)),
        ("janus_pro_7b", (121_835_520, 7_032_201_216, 7_348_485_120)),
    ],
)
def test_how_many_parameters_train(name: str, trained: tuple[int, ...]) -> None:
    model = built_of(name).model
    for stage, expected in zip(recipe_of(name).stages, trained, strict=True):
        model.set_trained(stage.train)
        assert sum(p.numel() for p in model.parameters() if p.requires_grad) == expected


@pytest.mark.parametrize("name", SHARED)
def test_one_tokenizer_serves_both_roles(name: str) -> None:
    model = built_of(name).model
    encoder: Any = model.encoders["image"]
    assert encoder.tokenizer is model.generation_tokenizer
    assert isinstance(model.generation_tokenizer, torch.nn.Module)


# -- mixtures and samples ---------------------------------------------------------------------------------------------


def samples(stage: StageConfig) -> dict[str, Fraction]:
    """Samples of each task over a stage."""
    total = sum(map(Fraction, stage.mixture.values()))
    drawn = stage.steps * stage.batch_size
    return {task: drawn * Fraction(ratio) / total for task, ratio in stage.mixture.items() if ratio}


def of_task(name: str, task: Task) -> list[Fraction]:
    return [samples(stage).get(task, Fraction(0)) for stage in recipe_of(name).stages]


def draws(stage: StageConfig, steps: int) -> list[Draw]:
    ratios = {task: ratio for task, ratio in stage.mixture.items() if ratio}
    return list(islice(Mixture(ratios, stage.data, stage.batch_size).draws(), steps * stage.batch_size))


def test_the_samples_of_the_papers() -> None:
    assert of_task("janus_1_3b", und) == [1_280_000, 18_432_000, 2_150_400]
    assert of_task("janus_1_3b", text) == [0, 27_648_000, 921_600]
    assert of_task("janus_1_3b", gen) == [1_280_000, 46_080_000, 3_072_000]
    assert of_task("janus_pro_1b", gen) == [3_840_000, 69_120_000, 4_096_000]
    assert of_task("janus_pro_7b", gen) == [3_840_000, 69_120_000, 2_048_000]


@pytest.mark.parametrize("name", [*JANUS, "ablations/E", "ablations/F"])
def test_the_mixture_has_the_ratio_exactly(name: str) -> None:
    for stage in recipe_of(name).stages:
        found = Counter(draw.task for draw in draws(stage, steps=5))
        assert found == {task: count * 5 / stage.steps for task, count in samples(stage).items()}
        assert all(count.denominator == 1 for count in samples(stage).values()), "whole samples over the stage"


@pytest.mark.parametrize("name", ["janus_1_3b", "ablations/A", "ablations/B", "ablations/D", "ablations/F"])
def test_imagenet_comes_first_in_stage_2(name: str) -> None:
    stage = stages_of(name)["unify"]
    shares = stage.data["generation"]
    assert shares == {"imagenet": SourceShare(last_step=120_000), "t2i": SourceShare(first_step=120_000)}
    assert Fraction(120_000, stage.steps) == Fraction(2, 3), "66.67 % of the steps (Janus-Pro, section 2.2)"
    small = stage.model_copy(
        update={
            "batch_size": 16,
            "data": stage.data
            | {"generation": {"imagenet": SourceShare(last_step=12), "t2i": SourceShare(first_step=12)}},
        }
    )
    for place, draw in enumerate(draws(small, steps=18)):
        if draw.task == "generation":
            assert draw.source == ("imagenet" if place // 16 < 12 else "t2i")


@pytest.mark.parametrize("name", ["janus_pro_1b", "janus_pro_7b"])
def test_pro_has_no_imagenet_in_stage_2(name: str) -> None:
    shares = stages_of(name)["unify"].data["generation"]
    assert shares == {"real": SourceShare(weight=1), "synthetic": SourceShare(weight=1)}


def test_the_ablations_see_as_many_samples() -> None:
    """Janus, section 4.5: D and E share the understanding steps, D and F the generation steps."""
    for row in "ABCE":
        assert of_task(f"ablations/{row}", und) == of_task("ablations/D", und)
    for row in "ABF":
        assert of_task(f"ablations/{row}", gen) == of_task("ablations/D", gen)
    for row in "ABCE":
        assert of_task(f"ablations/{row}", text) == of_task("ablations/D", text)
    assert of_task("ablations/D", und) == of_task("janus_1_3b", und)
    for without, task in (("C", gen), ("E", gen), ("F", und)):
        assert not any(of_task(f"ablations/{without}", task))  # type: ignore[arg-type]
    for row in "ABCDEF":
        for stage, like in zip(recipe_of(f"ablations/{row}").stages, recipe_of("ablations/D").stages, strict=True):
            same = {"steps", "learning_rate", "schedule", "final_rate", "warmup", "weight_decay", "betas", "clip"}
            same |= {"row_tokens", "batch_unit", "mixture_unit", "isolate_samples", "loss_normalisation"}
            assert all(getattr(stage, field) == getattr(like, field) for field in same)


def test_the_text_of_f_is_rounded_as_its_file_says() -> None:
    theirs, ours = of_task("ablations/D", text), of_task("ablations/F", text)
    assert [round(float(100 * (b / a - 1)), 2) for a, b in zip(theirs[1:], ours[1:], strict=True)] == [0.26, -1.04]
    assert theirs[0] == ours[0] == 0


@pytest.mark.parametrize(("row", "task"), [("E", und), ("E", text), ("F", gen)])
def test_the_ablations_see_the_same_samples(row: str, task: Task) -> None:
    for mine, like in zip(recipe_of(f"ablations/{row}").stages, recipe_of("ablations/D").stages, strict=True):
        ours, theirs = ([draw for draw in draws(stage, steps=5) if draw.task == task] for stage in (mine, like))
        assert ours == theirs
        assert ours or not like.mixture.get(task)


def test_no_recipe_names_a_place_of_one_machine() -> None:
    for path in set(shipped().values()):
        assert not re.search(r"(?<![\w.])/(home|work|root|tmp|Users)/", path.read_text(encoding="utf-8")), path
        assert path.is_relative_to(Path(recipes_folder()))
