"""Scores GQA as eval.py v1.2 does, with the tolerance for missing choices that LLaVA's patch gives it."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence

from janus_bench.suite.gqa.files import Asked, Choices
from janus_core.scores import Score, ScoredItem, Status

COMMON = frozenset(("color", "material", "shape"))
"""Eval.py takes these for valid and plausible answers to questions about what things have in common."""

OUTER = " \t\n.,!?;:\"'`“”‘’"


def as_given(text: str) -> str:
    """The answer itself."""
    return text


def llava_convert(text: str) -> str:
    """LLaVA's conversion (scripts/convert_gqa_for_eval.py at c121f04): no last dots, lower case; a projection."""
    return text.rstrip(".").lower()


def repaired(text: str) -> str:
    """Without wide letters, capitals, outer spaces and outer punctuation."""
    return unicodedata.normalize("NFKC", text).casefold().strip(OUTER)


def score_items(
    questions: Mapping[str, Asked],
    predictions: Mapping[str, str],
    choices: Choices | None,
    *,
    convert: Callable[[str], str],
    convert_truth: Callable[[str], str] = as_given,
    consistency: bool = False,
) -> list[ScoredItem]:
    """One item a balanced question; a question without a prediction is wrong."""

    def right(name: str) -> bool:
        return name in predictions and convert(predictions[name]) == convert_truth(questions[name].answer)

    items = []
    for name, asked in questions.items():
        if not asked.balanced:
            continue
        said = convert(predictions[name]) if name in predictions else None
        status: Status = "missing" if said is None else "scored" if said.strip() else "unparsed"
        facts = {
            "structural": asked.structural,
            "semantic": asked.semantic,
            "steps": asked.steps,
            "words": asked.words,
            "group": asked.group,
            "gold": convert_truth(asked.answer),
            "valid": None,
            "plausible": None,
            "consistency": None,
        }
        if choices is not None:
            common = "Common" in asked.detailed
            for fact, allowed in (("valid", choices.valid), ("plausible", choices.plausible)):
                group = COMMON if common else {convert_truth(one) for one in allowed.get(name, ())}
                facts[fact] = int(said is not None and said in group)
        followers = [other for other in asked.entailed if other != name and other in questions]
        if consistency and right(name) and followers:
            facts["consistency"] = sum(map(right, followers)) / len(followers)
        items.append(ScoredItem(name, f"image {asked.image}", float(right(name)), said, status, facts))
    return items


def scores(items: Sequence[ScoredItem]) -> list[Score]:
    """The official metrics; those that lack what they need (choices, groups) are NaN."""
    worth = [item.score or 0.0 for item in items]
    query = [item.facts["structural"] == "query" for item in items]
    found = [
        _share("accuracy", worth),
        _share("binary", [one for one, opened in zip(worth, query, strict=True) if not opened]),
        _share("open", [one for one, opened in zip(worth, query, strict=True) if opened]),
    ]
    for name, fact in (("validity", "valid"), ("plausibility", "plausible"), ("consistency", "consistency")):
        known = [float(item.facts[fact]) for item in items if item.facts[fact] is not None]
        found.append(_share(name, known))
    grouped = sum(item.facts["group"] is not None for item in items)
    found.append(Score("distribution", distribution(items), grouped, unit="distance", task="understanding"))
    return found


def distribution(items: Sequence[ScoredItem]) -> float:
    """Chi-square of the answers of each group against the true ones, weighted by the group's size, by 100.

    NaN without a group (eval.py divides by zero there).
    """
    gold: dict[str, dict[str, int]] = {}
    said: dict[str, dict[str, int]] = {}
    for item in items:
        group = item.facts["group"]
        if group is None:
            continue
        true = gold.setdefault(group, {})
        true[item.facts["gold"]] = true.get(item.facts["gold"], 0) + 1
        if item.parsed is not None:
            given = said.setdefault(group, {})
            given[item.parsed] = given.get(item.parsed, 0) + 1
    total, size = 0.0, 0
    for group, true in gold.items():
        square = 0.0
        for answer, expected in true.items():
            square += float(said.get(group, {}).get(answer, 0) - expected) ** 2 / expected
        total += square * sum(true.values())
        size += sum(true.values())
    return total / size / 100 if size else math.nan


def official_tables(items: Sequence[ScoredItem], consistency: bool = False) -> dict[str, object]:
    """What eval.py prints: per cent with two decimals, by type as well, and its lines."""
    values = {score.name: 0.0 if math.isnan(score.value) else score.value for score in scores(items)}
    printed = {
        name: float(f"{value if name == 'distribution' else value * 100:.2f}")
        for name, value in values.items()
        if name != "consistency" or consistency
    }
    lines = []
    for name in ("binary", "open", "accuracy", "consistency", "validity", "plausibility", "distribution"):
        if name in printed:
            ending = " (lower is better)" if name == "distribution" else "%"
            lines.append(f"{name.capitalize()}: {printed[name]:.2f}{ending}")
    details: dict[str, object] = dict(printed)
    for fact, title in (
        ("structural", "Accuracy / structural type"),
        ("semantic", "Accuracy / semantic type"),
        ("steps", "Accuracy / steps number"),
        ("words", "Accuracy / words number"),
    ):
        groups: dict[str | int, list[float]] = {}
        for item in items:
            groups.setdefault(item.facts[fact], []).append(item.score or 0.0)
        lines += ["", f"{title}:"]
        table = {}
        for kind in sorted(groups):
            part = groups[kind]
            per_cent = f"{sum(part) / len(part) * 100:.2f}"
            table[str(kind)] = {"accuracy": float(per_cent), "questions": len(part)}
            lines.append(f"  {kind}: {per_cent}% ({len(part)} questions)")
        details[title] = table
    return details | {"stdout": lines}


def _share(name: str, worth: Sequence[float]) -> Score:
    total = len(worth)
    value = sum(worth) / total if total else math.nan
    correct = round(sum(worth)) if all(one in (0.0, 1.0) for one in worth) else None
    return Score(name, value, total, correct, task="understanding")
