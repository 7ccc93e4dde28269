"""The kit, put to wrong components: each is caught by the check that is meant for it, and no right one is."""

from __future__ import annotations

from typing import Any

import pytest

from janus_core.conformance.check import checks
from janus_core.conformance.run import Report, run_checks
from janus_mutants import catalogue  # made importable by conftest.py

KILLS: dict[str, list[str]] = {}
"""Check -> mutants that it is the first to catch, filled by the tests."""


def first(report: Report) -> Any:
    return report.failed[0] if report.failed else None


@pytest.mark.parametrize("mutant", catalogue.RIGHT, ids=lambda mutant: mutant.name)
def test_a_right_component_passes(mutant: Any) -> None:
    report = run_checks(mutant.subject())
    assert [f"{r.check}: {r.what}" for r in report.failed] == []
    left_out = {r.check for r in report.results if r.status == "not run"}
    assert left_out == {"declared_cost", "cuda"} | {c.id for c in checks(mutant.kind) if c.slow}


def killed(mutant: Any, **more: Any) -> None:
    found = first(run_checks(mutant.subject(), **more))
    assert found is not None, f"{mutant.name} survives: no check fails"
    assert found.check == mutant.killer, f"{mutant.name}: {found.check} fails first: {found.what}"
    KILLS.setdefault(found.check, []).append(mutant.name)
    assert mutant.names in f"{found.what} {found.mend}".lower(), f"{found.what} | {found.mend}"
    assert found.why
    assert found.mend


@pytest.mark.parametrize("mutant", catalogue.MUTANTS, ids=lambda mutant: mutant.name)
def test_a_wrong_component_is_caught(mutant: Any) -> None:
    killed(mutant, processes=False)


@pytest.mark.parametrize("mutant", catalogue.IN_PROCESSES, ids=lambda mutant: mutant.name)
def test_a_wrong_component_is_caught_in_another_process(mutant: Any) -> None:
    killed(mutant)


@pytest.mark.parametrize("mutant", catalogue.SLOW, ids=lambda mutant: mutant.name)
def test_a_wrong_component_is_caught_by_a_slow_check(mutant: Any) -> None:
    killed(mutant, processes=False, slow=True, only={mutant.killer})


def test_every_check_has_a_mutant() -> None:
    everyone = (*catalogue.MUTANTS, *catalogue.IN_PROCESSES, *catalogue.SLOW)
    killers = {mutant.killer for mutant in everyone}
    ids = {check.id for check in checks()}
    assert killers | catalogue.WITHOUT_MUTANT.keys() == ids
    assert not killers & catalogue.WITHOUT_MUTANT.keys()


def test_the_kill_matrix(request: pytest.FixtureRequest) -> None:
    """Prints who catches whom, of the mutants that ran before."""
    rows = [f"{check.id:<24}{check.level:<8}{', '.join(KILLS.get(check.id, ['-']))}" for check in checks()]
    print("\nkill matrix: check, level, mutants that it is the first to catch\n" + "\n".join(rows))
    total = sum(map(len, KILLS.values()))
    print(f"{total} mutants killed, by {len(KILLS)} of {len(rows)} checks")
    whole = len(catalogue.MUTANTS) + len(catalogue.IN_PROCESSES) + len(catalogue.SLOW)
    items = sum(item.name.startswith("test_a_wrong") for item in request.session.items)
    if items == whole:
        assert total == whole
        assert {check.id for check in checks()} - KILLS.keys() == catalogue.WITHOUT_MUTANT.keys()
