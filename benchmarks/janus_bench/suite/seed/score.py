"""Scores SEED-Bench's questions: the letter exactly, as LLaVA does, or found by matching."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from janus_bench.suite.choices import NO_OPTION, infer
from janus_bench.suite.seed.files import LETTERS, Item
from janus_core.scores import ScoredItem, Status


def read_exact(text: str, item: Item) -> str | None:
    """The answer if it is a letter and nothing else."""
    return text if text and text in tuple(LETTERS) else None


def read_matched(text: str, item: Item) -> str | None:
    """The letter of the option that the answer names or quotes."""
    return infer(text, dict(zip(LETTERS, item.choices, strict=True)))


def judge(items: Sequence[Item], answers: Mapping[str, str], *, matched: bool) -> list[ScoredItem]:
    """One item a question; without an answer it is wrong."""
    found = []
    for item in items:
        text = answers.get(item.id)
        letter = None if text is None else (read_matched if matched else read_exact)(text, item)
        understood = letter is not None and letter != NO_OPTION
        status: Status = "missing" if text is None else "scored" if understood else "unparsed"
        facts = {"source": item.source, "type": item.type, "type_id": item.type_id}
        found.append(ScoredItem(item.id, item.data_id, float(letter == item.answer), letter, status, facts))
    return found


def parts(protocol: str, items: Sequence[ScoredItem]) -> dict[str, list[float]]:
    """The scores of the items of each number: all, pictures, videos, the types by number; those that occur."""
    found: dict[str, list[float]] = {"accuracy": []}
    if "-img" not in protocol:
        found |= {"image": [], "video": []}
    order = sorted({(item.facts["type_id"], item.facts["type"]) for item in items})
    found |= {name: [] for _, name in order}
    for item in items:
        score = item.score or 0.0
        found["accuracy"].append(score)
        if item.facts["source"] in found:
            found[item.facts["source"]].append(score)
        found[item.facts["type"]].append(score)
    return {name: scores for name, scores in found.items() if scores}


def aggregate(protocol: str, items: Sequence[ScoredItem]) -> dict[str, float]:
    """The share of right answers of each part."""
    return {name: sum(scores) / len(scores) for name, scores in parts(protocol, items).items()}


def letter_details(items: Sequence[ScoredItem]) -> dict[str, Any]:
    """What LLaVA's ``convert_seed_for_submission.py`` prints, in per cent with two decimals."""
    shares = {name: (sum(s), len(s)) for name, s in parts("letter", items).items()}
    percent = {name: float(f"{right / total * 100:.2f}") for name, (right, total) in shares.items()}
    order = [name for name in percent if name not in ("accuracy", "image", "video")]
    named = {name: percent[name] for name in order} | {"Total": percent["accuracy"]}
    named |= {name: percent[name] for name in ("image", "video") if name in percent}
    return {"percent": named, "per_item_correct": {item.id: int(item.score or 0) for item in items}}


def likelihood_details(items: Sequence[ScoredItem], ties: Sequence[str]) -> dict[str, Any]:
    """The letters, and the accuracies in per cent that the official code would have printed."""
    shares = {name: (sum(s), len(s)) for name, s in parts("likelihood", items).items()}
    percent = {name: right / total * 100 for name, (right, total) in shares.items()}
    return {
        "predictions": {item.id: item.parsed for item in items if item.parsed is not None},
        "all": percent["accuracy"],
        **{name: percent[name] for name in ("image", "video") if name in percent},
        "ties": list(ties),
    }
