"""Every score of every card, folded."""

from __future__ import annotations

import html
from typing import Any

from janus_bench.report.contents import Report
from janus_bench.report.numbers import DASH, settings
from janus_bench.stored import Stored
from janus_bench.table import shown
from janus_core.plugins import components
from janus_core.scores import Score


def all_scores(report: Report) -> str:
    """A folded table a card, with what shaped its predictions."""
    summaries = _summaries()
    return "".join(_card(name, stored, summaries.get(stored.card.protocol, "")) for name, stored in report.cards)


def _summaries() -> dict[str, str]:
    """``name@protocol`` -> what the installed benchmarks say of it."""
    found: dict[str, str] = {}
    for component in components("benchmark"):
        spec: Any = component.spec
        found |= {f"{spec.name}@{protocol.name}": protocol.summary for protocol in spec.protocols}
    return found


def _card(name: str, stored: Stored, summary: str) -> str:
    card = stored.card
    rows = "".join(_row(score, stored) for score in card.scores)
    facts = {
        "protocol": f"{card.protocol}, version {card.version}" + (f": {summary}" if summary else ""),
        "items": f"{len(card.items)}, {card.missing} without a prediction, {card.unparsed} not read"
        if card.items
        else "none of their own: a number of whole sets",
        **settings(card.settings),
    }
    if card.attribution:
        facts["pictures"] = card.attribution
    told = "".join(f"<dt>{html.escape(key)}</dt><dd>{html.escape(value)}</dd>" for key, value in facts.items())
    heads = "".join(f"<th scope=col>{head}</th>" for head in ("value", "95 %", "of"))
    heads += "".join(f"<th scope=col class=text>{head}</th>" for head in ("interval by", "without it", "at best"))
    return (
        f"<details><summary>{html.escape(name)} <small>{html.escape(card.protocol)}</small></summary><dl>{told}</dl>"
        f'<div class=wide tabindex=0 role=region aria-label="{html.escape(f"{name}, {card.protocol}")}"><table>'
        f"<thead><tr><th scope=col>score</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div></details>"
    )


def _row(score: Score, stored: Stored) -> str:
    interval = stored.intervals.get(score.name)
    ends = DASH if interval is None else f"{shown(interval.low, score.unit)}{DASH}{shown(interval.high, score.unit)}"
    how = "" if interval is None else interval.method
    if interval is not None and interval.undefined:
        how += f", not defined in {interval.undefined} of {interval.resamples}"
    cells = [shown(score.value, score.unit), ends, str(score.total)]
    beside = [
        ", ".join(f"{name} {shown(value, score.unit)}" for name, value in numbers.items())
        for numbers in (score.baselines, score.ceilings)
    ]
    return (
        f"<tr><th scope=row>{html.escape(score.name)}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}"
        f"{''.join(f'<td class=text>{html.escape(cell)}</td>' for cell in (how, *beside))}</tr>"
    )
