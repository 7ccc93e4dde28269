"""The two ways to run the kit, its names and its docs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from janus_core.cli import main
from janus_core.conformance import conformance
from janus_core.conformance.check import ADAPTER, checks
from janus_core.conformance.find import find
from janus_core.conformance.table import table
from janus_core.errors import UserError

ROOT = Path(__file__).resolve().parents[2]

test_conformance = conformance("adapters/linear")
"""The line for authors, as an author writes it."""


def test_the_line_for_authors_gives_an_item_for_each_check() -> None:
    (mark,) = test_conformance.pytestmark  # type: ignore[attr-defined]
    assert [item.values[1] for item in mark.args[1]] == [check.id for check in checks(ADAPTER)]


def test_a_name_that_is_not_found_is_one_failing_item() -> None:
    test = conformance("janus-nope")
    (mark,) = test.pytestmark  # type: ignore[attr-defined]
    (item,) = mark.args[1]
    assert item.id == "janus-nope-discovery"
    with pytest.raises(pytest.fail.Exception, match="janus-nope"):
        test(None, "", lambda name, value: None)


def test_names_of_components_plugins_and_distributions() -> None:
    assert [item.component.qualified for item in find("adapters/linear")] == ["adapters/linear"]
    assert {item.component.name for item in find("adapters")} == {"mlp", "linear", "identity", "resampler"}
    assert len(find("janus-umm")) > 10
    with pytest.raises(UserError, match="adapters"):
        find("adaptors")
    with pytest.raises(UserError, match="no component that the kit checks"):
        find("file_sources")


def test_a_wrong_name_and_a_wrong_preset_are_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "check", "adaptors"]) == 2
    assert main(["plugins", "check", "adapters/linear", "--preset", "tinny"]) == 2
    assert "tiny" in capsys.readouterr().err


def test_importing_the_kit_imports_no_torch() -> None:
    code = "import sys, janus_core.conformance; sys.exit('torch' in sys.modules or 'pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_new_check_advises_for_one_minor(monkeypatch: pytest.MonkeyPatch) -> None:
    from janus_core.conformance import check as module
    from janus_core.conformance.run import Report, run_check
    from janus_core.conformance.subject import Subject

    def wrong(subject: Subject) -> str:
        raise module.Fault("wrong", "mend it")

    (found,) = find("adapters/linear")
    subject = Subject(found.component, found.module, "tiny")
    new = module.Check("new", "must", (ADAPTER,), "is right", "what is wrong", wrong, since=(1, 1))
    for suite, level, ok in (((1, 1), "should", True), ((1, 2), "must", False), ((2, 0), "must", False)):
        monkeypatch.setattr(module, "SUITE", suite)
        result = run_check(new, subject, slow=False, processes=False)
        assert (result.status, result.level) == ("failed", level)
        report = Report(subject, [result, module.Result("other", "must", "passed")])
        assert report.ok is ok
    monkeypatch.setattr(module, "SUITE", (1, 0))
    assert {check.level_now for check in checks()} == {"must", "should"}
    assert all(check.level_now == check.level and check.since <= module.SUITE for check in checks())


def test_the_table_in_the_docs_is_that_of_the_checks() -> None:
    assert table() in (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
