"""Scores MMMU as main_parse_and_eval.py and main_eval_only.py of MMMU-Benchmark/MMMU (bb0b95a) do."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Sequence
from typing import Literal

from janus_bench.suite.mmmu.files import Item, Output
from janus_bench.suite.mmmu.parse import open_is_right, read_choice, read_open, repaired_choice, repaired_open
from janus_bench.suite.mmmu.subjects import DOMAIN_OF, DOMAINS
from janus_core.scores import Score, ScoredItem, Status

Fallback = Literal["random", "wrong", "expected"]
SEED = 42
"""Of the official random letters; they depend on the order of the items, and on nothing else here."""


def score_parsed(entries: Iterable[tuple[Item, Output | None]], fallback: Fallback) -> list[ScoredItem]:
    """Items whose responses are parsed, in the order in which the official program meets them."""
    letters = random.Random(SEED)
    return [_parsed(item, output, fallback, letters) for item, output in entries]


def score_bare(entries: Iterable[tuple[Item, Output | None]]) -> list[ScoredItem]:
    """Items whose choices must be the bare letter; open responses are parsed."""
    found = []
    for item, output in entries:
        response = None if output is None else output.response
        if response is None or not item.is_choice:
            found.append(_parsed(item, output, "wrong", random.Random(SEED)))
            continue
        status: Status = "scored" if len(response) == 1 and response.isupper() else "unparsed"
        found.append(_scored(item, float(response in item.truth), response, status))
    return found


def score_repaired(entries: Iterable[tuple[Item, Output | None]]) -> list[ScoredItem]:
    """Items by the repaired rules of `janus_bench.suite.mmmu.parse`."""
    found = []
    for item, output in entries:
        response = None if output is None else output.response
        if response is None:
            found.append(_scored(item, 0.0, None, "missing"))
        elif item.is_choice:
            letter = repaired_choice(response, item.choices, item.options or {})
            worth = float(letter in item.truth)
            found.append(_scored(item, worth, letter, "unparsed" if letter is None else "scored"))
        else:
            status: Status = "scored" if response.strip() else "unparsed"
            found.append(_scored(item, float(repaired_open(response, item.truth)), response, status))
    return found


def scores(items: Sequence[ScoredItem]) -> list[Score]:
    """The share of right items, of all and of each domain."""
    found = [_share("accuracy", items)]
    return found + [_share(domain, [item for item in items if item.facts["domain"] == domain]) for domain in DOMAINS]


def printed(items: Sequence[ScoredItem]) -> dict[str, dict[str, float]]:
    """What the official programs print: number and accuracy to three decimals by domain, subject, and overall."""
    by_subject: dict[str, list[float]] = {}
    for item in items:
        by_subject.setdefault(item.facts["subject"], []).append(item.score or 0.0)
    # the official code goes from shares back to counts, so that its last digit is not always that of right / all
    results = {subject: (sum(worth) / len(worth), len(worth)) for subject, worth in by_subject.items()}
    table: dict[str, dict[str, float]] = {}
    for domain, subjects in DOMAINS.items():
        inside = {subject: results[subject] for subject in subjects if subject in results}
        table[f"Overall-{domain}"] = _row(inside.values())
        for subject, (share, count) in inside.items():
            table[subject] = {"num": count, "acc": round(share, 3)}
    table["Overall"] = _row(results.values())
    return table


def _parsed(item: Item, output: Output | None, fallback: Fallback, letters: random.Random) -> ScoredItem:
    if output is None or output.response is None:
        return _scored(item, 0.0, None, "missing")
    if not item.is_choice:
        said = read_open(output.response)
        status: Status = "scored" if output.response.strip() else "unparsed"
        return _scored(item, float(open_is_right(said, item.truth)), json.dumps(sorted(map(str, said))), status)
    letter = read_choice(output.response, item.choices, item.options or {})
    if letter is not None:
        return _scored(item, float(letter in item.truth), letter, "scored")
    if fallback == "random":
        letter = letters.choice(item.choices)
        return _scored(item, float(letter in item.truth), letter, "unparsed")
    share = sum(choice in item.truth for choice in item.choices) / len(item.choices)
    return _scored(item, share if fallback == "expected" else 0.0, None, "unparsed")


def _scored(item: Item, worth: float, parsed: str | None, status: Status) -> ScoredItem:
    facts = {"subject": item.subject, "domain": DOMAIN_OF.get(item.subject), "kind": item.kind}
    return ScoredItem(item.id, item.id, worth, parsed, status, facts)


def _share(name: str, items: Sequence[ScoredItem]) -> Score:
    worth = [item.score or 0.0 for item in items]
    value = sum(worth) / len(worth) if worth else math.nan
    correct = round(sum(worth)) if all(one in (0.0, 1.0) for one in worth) else None
    return Score(name, value, len(worth), correct, task="understanding")


def _row(results: Iterable[tuple[float, int]]) -> dict[str, float]:
    right, count = 0.0, 0
    for share, number in results:
        right, count = right + share * number, count + number
    return {"num": count, "acc": round(right / count, 3) if count else 0}
