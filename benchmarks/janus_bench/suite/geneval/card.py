"""Fills the score card of GenEval from judged pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from janus_bench.suite.geneval import files, score
from janus_bench.suite.geneval.files import Prompt
from janus_bench.suite.geneval.inputs import Judged, number
from janus_bench.suite.reading import named
from janus_core.scores import ScoreCard, ScoredItem


class _Picture(NamedTuple):
    prompt_number: int
    name: str
    prompt: Prompt
    correct: bool
    reason: str | None
    """None: there is no picture, or nobody has looked at it."""


def fill(
    card: ScoreCard, protocol: str, judged: Judged, prompts: Mapping[int, Prompt], pictures: Iterable[str], wanted: int
) -> None:
    """Add items, scores, official tables and warnings.

    Args:
        judged: id -> (prompt, correct, reason).
        pictures: ids of the pictures that exist.
        wanted: pictures that each prompt should have; it may have more.
    """
    there = [_Picture(number(name), name, *judgement) for name, judgement in judged.items()]
    unseen = [name for name in pictures if name not in judged and number(name) in prompts]
    missing = [*unseen, *_missing([*judged, *unseen], prompts, wanted)]
    there += [_Picture(number(name), name, prompts[number(name)], False, None) for name in missing]
    there.sort()
    card.items = _items(there, merged=protocol != "repaired")
    card.records.sort(key=lambda record: (number(record["filename"]), record["filename"]))
    card.scores = score.scores(protocol, card.items)
    card.details = score.official_summary(protocol, card.items)
    card.details["summary"] = score.summary_text(card.details)
    card.details["per_image"] = {
        each.name: {"correct": each.correct, "reason": each.reason} for each in there if each.reason is not None
    }
    _warn(card, protocol, {each.prompt_number: each.prompt for each in there if each.reason is not None})


def _items(there: list[_Picture], merged: bool) -> list[ScoredItem]:
    """``merged``: prompts with equal lines are one, and what is missing is not in the denominators."""
    first: dict[str, int] = {}
    for each in there:
        first.setdefault(each.prompt.key, each.prompt_number)
    clusters = [f"{first[each.prompt.key] if merged else each.prompt_number:05d}" for each in there]
    counted = Counter(
        cluster for cluster, each in zip(clusters, there, strict=True) if each.reason is not None or not merged
    )
    return [
        ScoredItem(
            id=each.name,
            cluster=cluster,
            score=float(each.correct),
            parsed=each.reason,
            status="missing" if each.reason is None else "scored",
            facts={"tag": each.prompt.tag, "of_prompt": counted[cluster]},
        )
        for cluster, each in zip(clusters, there, strict=True)
    ]


def _missing(known: Iterable[str], prompts: Mapping[int, Prompt], wanted: int) -> list[str]:
    """The ids of the pictures that should be there besides those that are known."""
    there: dict[int, set[int]] = {}
    for name in known:
        there.setdefault(number(name), set()).add(int(Path(name).name.partition(".")[0]))
    missing = []
    for prompt in prompts:
        have = there.get(prompt, set())
        free = [each for each in range(wanted) if each not in have]
        missing += [files.picture_id(prompt, each) for each in free[: max(wanted - len(have), 0)]]
    return missing


def _warn(card: ScoreCard, protocol: str, shown: Mapping[int, Prompt]) -> None:
    missing = [item.id for item in card.items if item.status == "missing"]
    if missing:
        what = "counted as wrong" if protocol == "repaired" else "left out of every mean, as the official script does"
        card.warnings.append(f"{len(missing)} pictures are missing and {what}: {named(missing)}")
    tags = {prompt.tag for prompt in shown.values()}
    if tags != set(score.TAGS):
        card.warnings.append(f"overall is the mean of {', '.join(sorted(tags)) or 'nothing'}, not of the six kinds")
    counts = Counter(prompt.key for prompt in shown.values())
    again = [f"{index:05d}" for index, prompt in shown.items() if counts[prompt.key] > 1]
    if again and protocol != "repaired":
        card.warnings.append(f"equal prompts are one in 'correct prompts', as officially: {named(again)}")
    if protocol == "rewritten":
        card.warnings.append("drawn from rewritten prompts: not comparable with numbers of GenEval's own prompts")
