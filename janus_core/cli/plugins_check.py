"""``janus plugins check``: the conformance kit on the command line."""

from __future__ import annotations

import json
from typing import Any

from janus_core.errors import UserError


def check(name: str, *, preset: str | None, device: str, slow: bool, as_json: bool) -> int:
    """Check every component that the name stands for; 0: all passed, 1: one failed a check of level must.

    Raises:
        UserError: an unknown name or preset, a plugin that is not loaded, a device that is not there.
    """
    from janus_core.conformance.find import find, preset_of

    found = [(item, preset_of(item.component, preset)) for item in find(name)]
    _check_device(device)
    from janus_core.conformance.card import card, markdown
    from janus_core.conformance.report import line, report_facts
    from janus_core.conformance.run import run_checks
    from janus_core.conformance.subject import Subject

    worst, facts, cards = 0, [], []
    for item, chosen in found:
        component = item.component
        if not as_json:
            print(f"{component.kind} {component.qualified} ({component.distribution} {component.version}), ", end="")
            print(f"preset {chosen}, {device}" if chosen else f"no preset, {device}")
        report = run_checks(
            Subject(component, item.module, chosen, device),
            slow=slow,
            told=None if as_json else lambda result: print(line(result), flush=True),
        )
        worst = max(worst, int(not report.ok))
        written: dict[str, Any] = card(report)
        cards.append(written)
        facts.append({**report_facts(report), "card": written})
        if not as_json:
            print(f"  {report.summary()}\n")
    if as_json:
        print(json.dumps(facts, indent=2, default=str))
    else:
        print(markdown(cards), end="")
    return worst


def _check_device(device: str) -> None:
    import torch

    try:
        torch.zeros((), device=device)
    except (RuntimeError, AssertionError) as error:
        text = str(error).strip().splitlines()[0]
        raise UserError(f"--device {device}: {text}", "leave --device away to check on the CPU") from None
