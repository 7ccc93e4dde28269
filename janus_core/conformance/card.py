"""The card of a component: what was checked, with what, and what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from janus_core.conformance.check import ADAPTER, ENCODER, STATUSES, SUITE, TOKENIZER, NotRun
from janus_core.conformance.measured import flops, parameters, seconds
from janus_core.conformance.run import Report
from janus_core.conformance.subject import IMAGE_SIZE, Subject
from janus_core.plugins import DISTRIBUTION


def card(report: Report) -> dict[str, Any]:
    """The facts of a checked component.

    ``facts`` are the same on every machine; ``versions`` and ``seconds`` are of this one.
    """
    subject = report.subject
    component = subject.component
    return {
        "component": component.qualified,
        "kind": component.kind,
        "distribution": component.distribution,
        "preset": subject.preset,
        "suite": ".".join(map(str, SUITE)),
        "ok": report.ok,
        "counts": {status: report.count(status) for status in STATUSES},
        "checks": len(report.results),
        "not_passed": [
            {"check": result.check, "level": result.level, "status": result.status, "what": result.what}
            for result in report.results
            if result.status != "passed"
        ],
        "facts": {
            "licence": component.spec.licence,
            "paper": component.spec.paper,
            "capabilities": _plain(component.spec.capabilities),
            **measured(subject),
        },
        "versions": {"torch": torch.__version__, "janus": _version(DISTRIBUTION), "distribution": component.version},
        "seconds": {"checks": round(report.seconds, 2), "forward": _seconds(subject)},
    }


def measured(subject: Subject) -> dict[str, Any]:
    """Parameters, FLOPs of one item, width, tokens."""
    try:
        subject.need("forward")
    except NotRun:
        return {}
    module: Any = subject.module
    found: dict[str, Any] = {"parameters": parameters(subject), "flops_an_item": flops(subject)}
    if subject.kind == ENCODER:
        found |= {"modality": module.modality, "width": module.width}
        found["tokens"] = [len(item["tokens"]) for item in subject.outputs.items]
    elif subject.kind == TOKENIZER:
        layout = module.layout(IMAGE_SIZE)
        found |= {"code_width": module.code_width, "positions": layout.positions, "codebooks": list(layout.codebooks)}
        found["image_size"] = IMAGE_SIZE
    elif subject.kind == ADAPTER:
        found["tokens"] = {"16": module.num_tokens(16)}
    elif hasattr(module, "width"):
        found["width"] = module.width
    return found


def _seconds(subject: Subject) -> float | None:
    try:
        subject.need("forward")
    except NotRun:
        return None
    return round(seconds(subject), 5)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


def _plain(value: Any) -> Any:
    if hasattr(value, "items"):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


HEADINGS = ("component", "kind", "passed", "failed", "exempt", "not run", "parameters", "width", "tokens", "GFLOPs")


def markdown(cards: Sequence[dict[str, Any]]) -> str:
    """A table, one row a card."""
    rows = [HEADINGS, ("---",) * len(HEADINGS)]
    for item in cards:
        facts = item["facts"]
        tokens = facts.get("tokens", facts.get("positions", ""))
        shown = ", ".join(map(str, sorted(set(tokens)))) if isinstance(tokens, list) else str(tokens)
        if isinstance(tokens, dict):
            shown = ", ".join(f"{before} to {after}" for before, after in tokens.items())
        rows.append((
            f"`{item['component']}`", item["kind"].replace("_", " "), *(str(item["counts"][s]) for s in STATUSES),
            f"{facts.get('parameters', 0):,}", str(facts.get("width", facts.get("code_width", ""))), shown,
            f"{facts.get('flops_an_item', 0) / 1e9:.3f}",
        ))  # fmt: skip
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"
