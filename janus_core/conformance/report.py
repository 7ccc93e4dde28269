"""Results as text and as JSON: what failed, why that matters, and the mend. Imports no torch."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from janus_core.conformance.check import SUITE, Result

if TYPE_CHECKING:
    from janus_core.conformance.run import Report

SIGNS = {"passed": "ok", "failed": "FAIL", "exempt": "exempt", "not run": "not run"}


def failure(result: Result) -> str:
    """A failed check in four lines."""
    return f"{result.check} ({result.level}): {result.what}\n  prevents: {result.why}\n  mend: {result.mend}"


def line(result: Result) -> str:
    """One line a result, three for a failed one."""
    sign = SIGNS[result.status] if result.gates or result.status != "failed" else "should"
    if result.status != "failed":
        return f"  {sign:<8}{result.check:<24}{result.what}".rstrip()
    return f"  {sign:<8}{result.check:<24}{result.what}\n{'':34}prevents: {result.why}\n{'':34}mend: {result.mend}"


def report_facts(report: Report) -> dict[str, Any]:
    """A report as JSON-able facts."""
    component = report.subject.component
    return {
        "suite": ".".join(map(str, SUITE)),
        "kind": component.kind,
        "component": component.qualified,
        "distribution": component.distribution,
        "version": component.version,
        "preset": report.subject.preset,
        "device": report.subject.device,
        "ok": report.ok,
        "seconds": round(report.seconds, 2),
        "results": [dataclasses.asdict(result) for result in report.results],
    }
