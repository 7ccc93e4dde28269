"""Planning a study: pure, fast, without torch; ids by content; pairings, exclusions, what must be equal; mistakes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from janus_bench.study.plan import Plan, find_study, make_plan, read_study
from janus_bench.study.plan_text import plan_text
from janus_core.cli import main
from janus_core.config.catalog import recipes_folder, shipped, studies
from janus_core.errors import UserError

ENCODERS = {"siglip": {"model.encoders.image.type": "siglip"}, "eva": {"model.encoders.image.type": "eva_clip"}}
ADAPTERS = {"mlp": {"model.adapters.image.type": "mlp"}, "linear": {"model.adapters.image.type": "linear"}}
ONLY_SEES = {
    "model.generation_tokenizer": None,
    "model.generation_adapter": None,
    "model.generation_head": None,
    "stages.one.train": ["language_model", "adapters.*"],
    "stages.one.mixture": {"understanding": 1},
    "stages.one.batch_size": 2,
}


@pytest.fixture
def plan(tiny: ModuleType, tmp_path: Path) -> Any:
    """Plans a study of the tiny recipe."""
    tiny.write(tiny.recipe("both"), tmp_path / "tiny.yaml")

    def make(**values: Any) -> Plan:
        study = {"name": "s", "recipe": "tiny.yaml", "benchmarks": ["openmoji_scenes"], **values}
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
        return make_plan(read_study(path), path.parent)

    return make


def cells(plan: Plan) -> dict[tuple[str, int], str]:
    return {(row.name, seed): cell for row in plan.rows for seed, cell in row.cells.items()}


def test_every_combination_is_a_row_and_every_seed_a_cell(plan: Any) -> None:
    found = plan(axes={"encoder": ENCODERS, "adapter": ADAPTERS}, seeds=[0, 4])
    assert [row.name for row in found.rows] == [
        f"encoder={encoder} adapter={adapter}" for encoder in ENCODERS for adapter in ADAPTERS
    ]
    assert len(set(found.cells)) == 8
    assert [seed for _, seed in found.cells.values()] == [0] * 4 + [4] * 4
    assert found.rows[1].sets == ["model.encoders.image.type=siglip", "model.adapters.image.type=linear"]


def test_a_list_of_values_of_a_path_is_an_axis(plan: Any) -> None:
    found = plan(axes={"model.adapters.image": ["linear", {"type": "mlp", "options": {"merge": 2}}]})
    assert [row.name for row in found.rows] == ["linear", "mlp"]
    assert found.rows[1].sets == ["model.adapters.image={type: mlp, options: {merge: 2}}"]


def test_ids_do_not_depend_on_order_or_spelling(plan: Any) -> None:
    first = cells(plan(axes={"encoder": ENCODERS, "adapter": ADAPTERS}, seeds=[0, 1]))
    turned = {"adapter": dict(reversed(ADAPTERS.items())), "encoder": dict(reversed(ENCODERS.items()))}
    second = cells(plan(axes=turned, seeds=[1, 0], name="other"))
    assert first == {
        (" ".join(reversed(name.split())), seed): cell for (name, seed), cell in second.items()
    }  # the names turn with the axes, the ids stay
    spelt = {"siglip": {"model.encoders.image": {"type": "siglip/siglip", "preset": "tiny"}}}
    third = cells(plan(axes={"encoder": spelt, "adapter": ADAPTERS}, set={"run.log_every": 7, "description": "x"}))
    assert third["encoder=siglip adapter=mlp", 0] == first["encoder=siglip adapter=mlp", 0]


@pytest.mark.parametrize(
    "values",
    [
        {"limit": 3},
        {"benchmarks": [{"type": "openmoji_scenes", "options": {"seed": 2}}]},
        {"set": {"stages.0.steps": 3}},
    ],
)
def test_what_changes_a_result_changes_the_id(values: dict[str, Any], plan: Any) -> None:
    assert set(plan(**values).cells).isdisjoint(plan().cells)


def test_a_benchmark_may_name_its_protocol_and_its_files(plan: Any, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    found = plan(benchmarks=["pope@mean3", "mme"], data="files", limit=3)
    tail = ["--data", str(tmp_path / "files"), "--limit", "3"]
    assert found.benchmarks == {"pope@mean3": ["pope@mean3", *tail], "mme": ["mme", *tail]}
    other = plan(benchmarks=["pope@random", "mme"], data="files", limit=3)
    assert not set(found.cells) & set(other.cells)
    with pytest.raises(UserError, match="no protocol 'mean'"):
        plan(benchmarks=["pope@mean"])
    with pytest.raises(UserError, match="nowhere is no folder"):
        plan(data="nowhere")


def test_combinations_that_resolve_to_one_recipe_run_once(plan: Any) -> None:
    axes = {"row": {"as it is": {}, "said again": {"stages.one.steps": 2}, "other": {"stages.one.steps": 3}}}
    found = plan(axes=axes, seeds=[0, 1])
    assert [(row.name, row.also) for row in found.rows] == [("as it is", ["said again"]), ("other", [])]
    assert len(found.cells) == 4
    assert "the same recipe as as it is" not in plan_text(found)
    assert "said again" in plan_text(found)


def test_pairings_and_exclusions(plan: Any) -> None:
    axes = {"encoder": ENCODERS, "adapter": ADAPTERS, "rate": {"a": {}, "b": {"stages.one.learning_rate": 0.5}}}
    together = [{"encoder": "siglip", "adapter": "mlp"}, {"encoder": "eva", "adapter": ["mlp", "linear"]}]
    found = plan(axes=axes, pairings=together, exclude=[{"adapter": "linear", "rate": "b"}])
    assert [tuple(row.labels.values()) for row in found.rows] == [
        ("siglip", "mlp", "a"),
        ("siglip", "mlp", "b"),
        ("eva", "mlp", "a"),
        ("eva", "mlp", "b"),
        ("eva", "linear", "a"),
    ]
    with pytest.raises(UserError, match="leave no combination"):
        plan(axes={"encoder": ENCODERS}, exclude=[{"encoder": ["siglip", "eva"]}])


def test_samples_are_counted_and_compared(plan: Any) -> None:
    axes = {"row": {"D": {}, "E": ONLY_SEES}}
    found = plan(
        axes=axes, match=[{"equal": ["steps", "understanding"]}, {"equal": ["generation"], "among": {"row": "D"}}]
    )
    assert found.rows[0].budget == {"one": {"steps": 2, "samples": 8, "understanding": 4, "text": 0, "generation": 4}}
    assert found.rows[1].budget["one"]["generation"] == 0
    assert [(item.quantity, item.rows, item.equal) for item in found.matched] == [
        ("steps", ["D", "E"], True),
        ("understanding", ["D", "E"], True),
        ("generation", ["D"], True),
    ]
    assert found.unmatched == []


@pytest.mark.parametrize(
    ("rule", "equal"),
    [
        ({"equal": ["understanding"]}, False),
        ({"equal": ["steps"]}, True),
        ({"equal": ["understanding"], "tolerance": 0.5}, True),
        ({"equal": ["understanding"], "tolerance": 0.4}, False),
    ],
)
def test_what_is_not_equal_is_told(rule: dict[str, Any], equal: bool, plan: Any) -> None:
    axes = {"row": {"D": {}, "E": {**ONLY_SEES, "stages.one.batch_size": 4}}}
    (found,) = plan(axes=axes, match=[rule]).matched
    assert found.equal is equal
    if not equal:
        assert "D has one 4; E has one 8" in found.sentence()
    reported = plan(axes=axes, match=[{**rule, "otherwise": "report"}])
    assert reported.unmatched == []
    assert reported.matched[0].equal is equal


def test_what_cannot_be_known_is_not_equal(plan: Any) -> None:
    rows = {"stages.one.batch_unit": "rows", "stages.one.row_tokens": 512}
    (found,) = plan(set=rows, match=[{"equal": ["samples"]}]).matched
    assert not found.equal
    assert "unknown" in found.sentence()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"axis": {}}, ["axis: unknown name", "'axes'"]),
        ({"benchmarks": []}, ["benchmarks"]),
        ({"benchmarks": ["openmoji_scene"]}, ["benchmarks.0", "openmoji_scenes"]),
        ({"benchmarks": [{"type": "openmoji_scenes", "options": {"scene": 2}}]}, ["scene", "scenes"]),
        ({"seeds": [1, 1]}, ["seeds"]),
        ({"set": {"seed": 3}}, ["seeds: [0, 1, 2]"]),
        ({"recipe": "quickstat"}, ["quickstat", "did you mean quickstart"]),
        ({"set": {"model.encodrs.image": "siglip"}}, ["model.encodrs", "did you mean 'encoders'"]),
        ({"set": {"stages.two.steps": 3}}, ["stages.two", "items: one"]),
        ({"axes": {"a": {"x": {"model.encoders.image.options.width": "wide"}}}}, ["x:", "model.encoders.image"]),
        ({"axes": {"a": {"x": {"stages.one.data.text": ["nothing"]}}}}, ["nothing", "sources:"]),
        ({"axes": {"a": {}}}, ["the axis 'a' has no values"]),
        ({"axes": {"model.adapters.image": ["mlp", {"type": "mlp"}]}}, ["called 'mlp'", "{label: {path: value}}"]),
        ({"axes": {"a": {"x": {}}}, "exclude": [{"b": "x"}]}, ["exclude.0", "'b'", "axes: a"]),
        ({"axes": {"a": {"x": {}}}, "pairings": [{"a": "y"}]}, ["pairings.0", "'y'", "values: x"]),
        ({"match": [{"equal": ["images"]}]}, ["match.0.equal.0", "'steps'"]),
        (
            {"axes": {"a": {"x": {"model.adapters.image": "mlp"}}, "b": {"y": {"model.adapters.image.type": "mlp"}}}},
            ["axes.b.y", "axes.a.x", "exclude"],
        ),
    ],
)
def test_mistakes_are_told_with_place_and_remedy(values: dict[str, Any], told: list[str], plan: Any) -> None:
    with pytest.raises(UserError) as error:
        plan(**values)
    for text in told:
        assert text in str(error.value)


def test_mistakes_of_all_combinations_are_told_once(plan: Any) -> None:
    axes = {"a": {"x": {"model.nothing": 1}, "y": {"stages.one.stepps": 1}}, "b": {"1": {}, "2": {"name": "z"}}}
    with pytest.raises(UserError, match="2 combinations are wrong") as error:
        plan(axes=axes)
    assert "model.nothing" in str(error.value)
    assert "did you mean 'steps'" in str(error.value)


PROGRAM = """
import json, sys, time
began = time.perf_counter()
from janus_core.cli import main
assert main(["study", "plan", "quickstart_ablation", "--json"]) == 0
print(json.dumps([time.perf_counter() - began, "torch" in sys.modules]))
"""


def test_planning_the_shipped_study_is_fast_and_imports_no_torch(tmp_path: Path) -> None:
    began = time.process_time()
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, cwd=tmp_path, check=True)
    text, _, last = ended.stdout.strip().rpartition("\n")
    seconds, torch = json.loads(last)
    assert not torch
    assert seconds < 4, f"{time.process_time() - began}"  # under 1 s alone; tests share the machine
    assert list(tmp_path.iterdir()) == []
    plan = Plan.model_validate_json(text)
    assert [row.name for row in plan.rows] == ["D", "A", "E", "F"]
    assert len(plan.cells) == 12
    assert plan.matched
    assert all(item.equal for item in plan.matched)


def test_shipped_studies_are_no_recipes() -> None:
    assert set(studies()) == {path.stem for path in (recipes_folder() / "studies").glob("*.yaml")}
    assert not [name for name in shipped() if name.startswith("studies")]
    for name in studies():
        path = find_study(Path(name))
        assert make_plan(read_study(path), path.parent).unmatched == []
    with pytest.raises(UserError, match="shipped studies: "):
        find_study(Path("quickstart_abla"))


def test_the_plan_is_printed_and_a_bad_one_has_exit_code_2(
    plan: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan(axes={"row": {"D": {}, "E": ONLY_SEES}}, match=[{"equal": ["generation"]}])
    assert main(["study", "plan", str(tmp_path / "study.yaml")]) == 0
    said = capsys.readouterr()
    for text in ("2 rows x 1 seeds = 2 cells", "generation of D, E: NOT equal", "E: model.generation_head=null"):
        assert text in said.out
    assert "would not run" in said.err
    assert main(["study", "run", str(tmp_path / "study.yaml"), "--out", str(tmp_path / "out")]) == 2
    assert "otherwise: report" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main(["study", "plan", str(tmp_path / "nothing.yaml")]) == 2
