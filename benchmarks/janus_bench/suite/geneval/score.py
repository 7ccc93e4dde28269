"""GenEval's summary: from judged pictures to scores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from janus_core.scores import Score, ScoredItem, share

OVERALL, IMAGES, PROMPTS = "overall", "correct images", "correct prompts"
TAGS = ("single_object", "two_object", "counting", "colors", "position", "color_attr")


def aggregate(protocol: str, items: Sequence[ScoredItem]) -> dict[str, float]:
    """Overall (mean of the tags), each tag, pictures and prompts.

    A prompt is right if any of its pictures is. In a resample a prompt that was taken k times counts k times: its
    weight is the part of its pictures that are there, counted with their repeats.
    """
    counted = list(_counted(protocol, items))
    if not counted:
        return {}
    tags: dict[str, list[float]] = defaultdict(list)
    prompts: dict[str, list[ScoredItem]] = defaultdict(list)
    for item in counted:
        tags[item.facts["tag"]].append(_value(item))
        prompts[item.cluster].append(item)
    by_tag = {tag: sum(values) / len(values) for tag, values in tags.items()}
    weights = {prompt: len(mine) / mine[0].facts["of_prompt"] for prompt, mine in prompts.items()}
    right = sum(weights[prompt] * any(map(_value, mine)) for prompt, mine in prompts.items())
    return {
        OVERALL: sum(by_tag.values()) / len(by_tag),
        **by_tag,
        IMAGES: sum(map(_value, counted)) / len(counted),
        PROMPTS: right / sum(weights.values()),
    }


def scores(protocol: str, items: Sequence[ScoredItem]) -> list[Score]:
    """The scores of a card, overall first."""
    values = aggregate(protocol, items)
    if not values:
        return [Score(OVERALL, 0.0, 0, task="generation")]
    counted = list(_counted(protocol, items))
    found = [Score(OVERALL, values[OVERALL], len(counted), task="generation")]
    for tag in (name for name in values if name not in (OVERALL, IMAGES, PROMPTS)):
        mine = [_value(item) for item in counted if item.facts["tag"] == tag]
        found.append(share(tag, int(sum(mine)), len(mine), task="generation"))
    found.append(share(IMAGES, int(sum(map(_value, counted))), len(counted), task="generation"))
    right = {item.cluster for item in counted if item.score}
    return [*found, share(PROMPTS, len(right), len({item.cluster for item in counted}), task="generation")]


def official_summary(protocol: str, items: Sequence[ScoredItem]) -> dict[str, Any]:
    """What summary_scores.py prints, rounded as it does."""
    by_name = {score.name: score for score in scores(protocol, items)}
    overall = by_name.pop(OVERALL)
    if not overall.total:
        return {"total_images": 0, "total_prompts": 0}
    images, prompts = by_name.pop(IMAGES), by_name.pop(PROMPTS)
    return {
        "total_images": images.total,
        "total_prompts": prompts.total,
        "overall_avg_over_tasks": float(f"{overall.value:.5f}"),
        "pct_correct_images": _per_cent(images.value),
        "pct_correct_prompts": _per_cent(prompts.value),
        "tags_pct_correct_total": {
            tag: [_per_cent(score.value), score.correct, score.total] for tag, score in by_name.items()
        },
    }


def summary_text(summary: Mapping[str, Any]) -> str:
    """The official program's words for `official_summary`."""
    if not summary["total_images"]:
        return "Summary\n=======\nTotal images: 0\n"
    tags = summary["tags_pct_correct_total"]
    width = 16
    return "\n".join(
        [
            "Summary",
            "=======",
            f"Total images: {summary['total_images']}",
            f"Total prompts: {summary['total_prompts']}",
            f"% correct images: {summary['pct_correct_images']:.2f}%",
            f"% correct prompts: {summary['pct_correct_prompts']:.2f}%",
            "",
            "Task breakdown",
            "==============",
            *(f"{tag:<{width}} = {value:.2f}% ({right} / {total})" for tag, (value, right, total) in tags.items()),
            "",
            f"Overall score (avg. over tasks): {summary['overall_avg_over_tasks']:.5f}",
            "",
        ]
    )


def _counted(protocol: str, items: Sequence[ScoredItem]) -> Iterator[ScoredItem]:
    """The items of the denominators: the official script never hears of a picture that is not there."""
    return (item for item in items if protocol == "repaired" or item.status != "missing")


def _value(item: ScoredItem) -> float:
    return item.score or 0.0


def _per_cent(value: float) -> float:
    return float(f"{100 * value:.2f}")
