"""The report of a study: spreads, intervals, what lies inside the noise, one-sided rows; from files alone."""

from __future__ import annotations

import csv
import io
import math
import statistics
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from janus_bench.statistics.intervals import Interval, wilson
from janus_bench.study.cell_folder import CellState
from janus_bench.study.picture import Point, draw
from janus_bench.study.plan import Plan, Row
from janus_bench.study.report import markdown, table_csv
from janus_bench.study.results import CellResult, Measured, RowResult
from janus_bench.study.spread import spread, told_apart
from janus_core.interfaces import Task
from janus_core.scores import share


def measured(name: str, task: Task, right: int, of: int) -> Measured:
    return Measured("made", share(name, right, of, task=task), Interval(*wilson(right, of), "Wilson"))


def result(name: str, seen: list[int], drawn: list[int], random: tuple[str, ...] = ()) -> RowResult:
    """A row with so many of 100 questions right and of 50 objects drawn by each seed."""
    found = RowResult(Row(name=name, labels={"row": name}, sets=[], differs=[], budget={}, cells={}))
    found.row.cells = {seed: f"{name}{seed}" for seed in range(3)}
    for seed in range(max(len(seen), len(drawn))):
        scores = [measured("answers", "understanding", seen[seed], 100)] if seen else []
        scores += [measured("drawn objects", "generation", drawn[seed], 50)] if seed < len(drawn) else []
        state = CellState(id=f"{name}{seed}", row=name, seed=seed, recipe="r", sets=[], status="done")
        state.seconds = {"train": 60.0 + seed, "bench made": 5.0}
        state.parameters = {"total": 12345, "trained": 345}
        found.done.append(CellResult(seed, state, scores, list(random), ["made@way, version 1"]))
    return found


def plan(*results: RowResult) -> Plan:
    rows = [item.row for item in results]
    return Plan(
        name="s", description="", recipe=Path("r"), seeds=[0, 1, 2], benchmarks={"made": []}, rows=rows, matched=[]
    )


def line(text: str, row: str) -> list[str]:
    found = next(item for item in text.splitlines() if item.startswith(f"| {row}"))
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_spread() -> None:
    found = spread([0.2, 0.5, 0.35])
    assert (found.mean, found.least, found.most, found.n) == (pytest.approx(0.35), 0.2, 0.5, 3)
    assert found.deviation == pytest.approx(statistics.stdev([0.2, 0.5, 0.35]))
    assert spread([0.4]).deviation is None
    with pytest.raises(ValueError, match="no values"):
        spread([])


def test_welch_against_a_worked_example() -> None:
    """Difference 1 with standard errors 0.2 and 0.2 and 4 degrees of freedom: t = 3.54, above 2.776."""
    step = 0.2 * math.sqrt(3)
    one, other = spread([1 - step, 1, 1 + step]), spread([2 - step, 2, 2 + step])
    assert told_apart(one, other) is True
    near = spread([1.7 - step, 1.7, 1.7 + step])  # t = 2.47
    assert told_apart(one, near) is False
    assert told_apart(one, spread([5.0])) is None
    assert told_apart(spread([1.0, 1.0]), spread([1.0, 1.0])) is False
    assert told_apart(spread([1.0, 1.0]), spread([0.5, 0.5])) is True


def test_the_table_has_both_sides_costs_and_dashes() -> None:
    results = [result("D", [80, 82, 84], [25, 30, 35]), result("E", [81, 85, 80], []), result("F", [], [28, 31, 33])]
    text = markdown(plan(*results), results, {})
    low, high = wilson(82, 100)
    assert line(text, "D")[1:4] == ["82.0 ± 2.0", "80.0 to 84.0", f"{100 * low:.0f} to {100 * high:.0f}"]
    assert line(text, "D")[4:6] == ["60.0 ± 10.0", "50.0 to 70.0"]
    assert line(text, "D")[7:] == ["3", "12,345", "345", "61", "5"]
    assert line(text, "E")[4:7] == line(text, "F")[1:4] == ["–"] * 3
    assert line(text, "score")[1:] == ["D", "E", "F"]
    assert line(text, "drawn objects")[1:] == ["60.0 ± 10.0", "–", "61.3 ± 5.0"]
    assert "understanding: the difference lies inside the noise of the seeds (95 %, Welch): D and E" in text
    assert "generation: the difference lies inside the noise of the seeds (95 %, Welch): D and F" in text


def test_a_clear_difference_and_a_single_seed_are_told() -> None:
    results = [result("A", [20, 21, 22], [3]), result("D", [80, 82, 84], [4])]
    text = markdown(plan(*results), results, {})
    assert "inside the noise" not in text
    one = [result("A", [20], [])]
    assert "understanding: one seed says nothing of noise: A" in markdown(plan(*one), one, {})
    assert line(markdown(plan(*one), one, {}), "A")[1] == "20.0"


def test_random_weights_failures_and_gaps_are_marked() -> None:
    results = [result("A", [20, 30, 25], [5, 5, 5], random=("encoders.image",)), result("D", [40], [20])]
    results[1].missing = [1, 2]
    results[0].done[0].notes = ["made: something odd"]
    results[0].done[1].protocols = ["made@way, version 2"]
    for cell, sha in zip([*results[0].done, *results[1].done], "aaba", strict=True):
        parts = {"language_model": "llama/llama", "adapters.image": "adapters/mlp"}
        cell.state.provenance = {role: {"component": name, "code_sha256": "c"} for role, name in parts.items()}
        cell.state.provenance["language_model"]["code_sha256"] = sha
    text = markdown(plan(*results), results, {})
    for told in (
        "A (RANDOM)",
        "A: RANDOM weights, never trained: encoders.image",
        "D: seeds 1, 2",
        "A seed 0: made: something odd",
        "different versions of a protocol: made@way, version 1, made@way, version 2",
        "cells ran with different code of: llama/llama\n",
    ):
        assert told in text
    rows = list(csv.DictReader(io.StringIO(table_csv(results))))
    assert len(rows) == 6 + 2 + 2
    assert {row["status"] for row in rows} == {"done", "missing"}
    assert float(rows[0]["value"]) == 0.2
    assert rows[0]["random_weights"] == "encoders.image"


def test_the_picture_is_whole_and_shows_every_row() -> None:
    points = [
        Point("D & co", spread([0.7, 0.75]), spread([0.5, 0.6])),
        Point("E", spread([0.7]), None),
        Point("F", None, spread([0.0, 1.0])),
    ]
    text = draw(points, "answers", "drawn <objects>", "a study")
    root = ElementTree.fromstring(text)
    words = [item.text for item in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"D & co", "E", "F", "understanding: answers (%)", "generation: drawn <objects> (%)"} <= set(words)
    for item in root.iter("{http://www.w3.org/2000/svg}circle"):
        assert 0 < float(item.attrib["cx"]) < 640
        assert 0 < float(item.attrib["cy"]) < 480
    assert "http://www.w3.org/2000/svg" in text
    assert text.count("http") == 1  # needs no network


def test_a_picture_of_equal_points() -> None:
    for value in (0.0, 1.0):
        ElementTree.fromstring(draw([Point("A", spread([value]), spread([value]))], "a", "b", "c"))
