"""Puts the checks of its kind to a component and collects what comes of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import torch

from janus_core.conformance.check import STATUSES, SUITE, Check, Exempt, Fault, NotRun, Result, Status, checks
from janus_core.conformance.child import Children
from janus_core.conformance.deeds import no_network
from janus_core.conformance.state import pristine
from janus_core.conformance.subject import Subject


@dataclass(slots=True)
class Report:
    """The results of one component, in the order in which the checks ran."""

    subject: Subject
    results: list[Result] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """No check of level must failed, and something ran."""
        return not any(result.gates for result in self.results) and self.count("passed") > 0

    def count(self, status: Status) -> int:
        """How many checks have this status."""
        return sum(result.status == status for result in self.results)

    @property
    def failed(self) -> list[Result]:
        return [result for result in self.results if result.status == "failed"]

    def summary(self) -> str:
        """``suite 1.0: 40 checks, 38 passed, ...``; the numbers are counted from the results."""
        counts = ", ".join(f"{self.count(status)} {status}" for status in STATUSES)
        version = ".".join(map(str, SUITE))
        return f"suite {version}: {len(self.results)} checks: {counts} ({self.seconds:.1f} s)"


def run_checks(
    subject: Subject,
    *,
    only: Collection[str] | None = None,
    slow: bool = False,
    processes: bool = True,
    told: Callable[[Result], None] | None = None,
) -> Report:
    """Run every check of the subject's kind.

    Args:
        only: ids of the checks to run; None: all.
        slow: also those that take long (``compile``).
        processes: also those that need another process.
        told: called with each result as it comes.
    """
    begun = time.perf_counter()
    chosen = [item for item in checks(subject.kind) if only is None or item.id in only]
    report = Report(subject)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    wanted = {item.id for item in chosen if item.processes and processes}
    try:
        if wanted:
            subject.children = Children(subject, listing="lazy_import" in wanted, building=wanted != {"lazy_import"})
        for item in chosen:
            result = run_check(item, subject, slow=slow, processes=processes)
            report.results.append(result)
            if told is not None:
                told(result)
    finally:
        torch.set_num_threads(threads)
        if subject.children is not None:
            subject.children.close()
            subject.children = None
    report.seconds = time.perf_counter() - begun
    return report


def run_check(item: Check, subject: Subject, *, slow: bool, processes: bool) -> Result:
    """One result; whatever the check or the component raises becomes one."""
    begun = time.perf_counter()

    def result(status: Status, what: str = "", why: str = "", mend: str = "") -> Result:
        return Result(item.id, item.level_now, status, what, why, mend, round(time.perf_counter() - begun, 4))

    if item.unless and subject.capability(item.unless) is False:
        return result("exempt", f"declares {item.unless}: False")
    if item.slow and not slow:
        return result("not run", "slow: ask for it with --slow")
    if item.processes and not processes:
        return result("not run", "needs another process, which was not asked for")
    try:
        with pristine(), no_network():
            note = item.function(subject)
    except Fault as fault:
        return result("failed", fault.what, item.prevents, fault.mend)
    except Exempt as reason:
        return result("exempt", str(reason))
    except NotRun as reason:
        return result("not run", str(reason))
    except Exception as error:  # noqa: BLE001  (a stranger's code may raise anything)
        mend = f"make this work; the whole traceback: run the check {item.id!r} in pytest, or with JANUS_DEBUG=1"
        return result("failed", f"raised {type(error).__name__}: {error}", item.prevents, mend)
    return result("passed", note or "")
