"""Every component that we ship passes in its tiny preset, and the numbers that are printed are those that ran."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from janus_core.cli import main
from janus_core.conformance.check import KINDS, STATUSES, checks
from janus_core.conformance.find import find
from janus_core.conformance.run import run_checks
from janus_core.conformance.subject import Subject

SHIPPED = find("janus-umm")


def test_every_component_of_these_kinds_is_checked() -> None:
    from janus_core.plugins import DISTRIBUTION, manager

    ours = [c for c in manager().components() if c.distribution == DISTRIBUTION and c.kind in KINDS]
    assert {item.component.full for item in SHIPPED} == {component.full for component in ours}
    assert all("tiny" in item.component.spec.presets for item in SHIPPED)


@pytest.mark.parametrize("item", SHIPPED, ids=lambda item: f"{item.component.kind}-{item.component.qualified}")
def test_what_we_ship_passes(item: Any) -> None:
    report = run_checks(Subject(item.component, item.module, "tiny"), processes=False)
    assert [f"{r.check}: {r.what} | {r.mend}" for r in report.failed] == []
    assert report.ok


@pytest.mark.slow
@pytest.mark.parametrize("item", SHIPPED, ids=lambda item: f"{item.component.kind}-{item.component.qualified}")
def test_what_we_ship_passes_in_another_process(item: Any) -> None:
    ids = {check.id for check in checks(item.component.kind) if check.processes}
    report = run_checks(Subject(item.component, item.module, "tiny"), only=ids)
    assert [f"{r.check}: {r.what}" for r in report.failed] == []
    assert report.count("passed") == len(ids)


def test_the_printed_number_of_checks_is_the_number_that_ran(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["plugins", "check", "adapters/linear", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    results, card = found["results"], found["card"]
    assert [result["check"] for result in results] == [check.id for check in checks("adapter")]
    assert card["checks"] == len(results) == sum(card["counts"].values())
    assert card["counts"] == {s: sum(r["status"] == s for r in results) for s in STATUSES}
