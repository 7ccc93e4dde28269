"""The line for authors: one parametrised pytest test over a distribution's components and their checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from janus_core.conformance.check import Result
    from janus_core.conformance.find import Found
    from janus_core.conformance.subject import Subject


def conformance(
    name: str, *, preset: str | None = None, device: str = "cpu", slow: bool = False
) -> Callable[..., None]:
    """A test function with one item for each component and check: ``test_conformance = conformance("janus-mine")``.

    Args:
        name: of a distribution, plugin or component that is installed.
        preset: the preset to check; None: ``tiny``, else the component's first.
        device: where values are computed.
        slow: also the checks that take long.

    A name that is not found, or a plugin that cannot be loaded, gives one failing item that says why.
    """
    import pytest

    from janus_core.conformance.check import checks
    from janus_core.conformance.find import find
    from janus_core.errors import UserError
    from janus_registry.errors import RegistryError

    parameters, problem = [], ""
    try:
        for found in find(name):
            for item in checks(found.component.kind):
                parameters.append(pytest.param(found, item.id, id=f"{found.id}-{item.id}"))
    except (UserError, RegistryError) as error:
        problem = str(error)
        parameters = [pytest.param(None, "", id=f"{name}-discovery")]
    subjects: dict[int, tuple[Subject, dict[str, Result]]] = {}

    @pytest.mark.parametrize(("found", "check"), parameters)
    def test_conformance(found: Found | None, check: str, record_property: Callable[[str, object], None]) -> None:
        __tracebackhide__ = True
        if found is None:
            pytest.fail(problem, pytrace=False)
        key = id(found)
        if key not in subjects:
            subjects[key] = _started(found, preset, device)
        result = _result(subjects[key], check, slow=slow)
        record_property("janus_check", check)
        record_property("janus_status", result.status)
        _tell(result)

    return test_conformance


def _started(found: Found, preset: str | None, device: str) -> tuple[Subject, dict[str, Result]]:
    from janus_core.conformance.find import preset_of
    from janus_core.conformance.subject import Subject

    return Subject(found.component, found.module, preset_of(found.component, preset), device), {}


def _result(started: tuple[Subject, dict[str, Result]], check: str, *, slow: bool) -> Result:
    """The result of a check; those that need a process share one."""
    from janus_core.conformance.check import checks
    from janus_core.conformance.run import run_checks

    subject, results = started
    if check not in results:
        together = [item.id for item in checks(subject.kind) if item.processes]
        wanted = together if check in together else [check]
        results.update({result.check: result for result in run_checks(subject, only=wanted, slow=slow).results})
    return results[check]


def _tell(result: Result) -> None:
    import pytest

    from janus_core.conformance.report import failure

    __tracebackhide__ = True
    if result.status == "failed" and result.level == "must":
        pytest.fail(failure(result), pytrace=False)
    if result.status == "failed":
        pytest.xfail(failure(result))
    if result.status in ("exempt", "not run"):
        pytest.skip(f"{result.status}: {result.what}")
