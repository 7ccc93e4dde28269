"""POPE: asks, writes answers in its official format, scores files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from janus_bench.suite.asked import AskedBenchmark
from janus_bench.suite.pope.answers import answers_to, answers_with_labels
from janus_bench.suite.pope.files import Label, read_labels, write_answers, write_labels
from janus_bench.suite.pope.options import PopeOptions
from janus_bench.suite.pope.score import (
    Counts,
    Read,
    aggregate,
    by_category,
    judge,
    mean,
    read_official,
    read_repaired,
    read_vlmevalkit,
)
from janus_bench.suite.pope.spec import CATEGORIES, SPEC
from janus_core.interfaces import BuildContext, Question
from janus_core.scores import Score, ScoreCard, ScoredItem, share

SHORT = "\nAnswer the question using a single word or phrase."
ENDINGS = {"janus": SHORT, "llava": SHORT, "vlmevalkit": " Please answer yes or no."}


class Pope(AskedBenchmark):
    """See ``spec``."""

    data = SPEC.data
    max_new_tokens = 128

    def __init__(self, options: PopeOptions) -> None:
        self._prompts = options.prompts or "janus"

    def style(self, protocol: str) -> str:
        """Whose prompts are asked."""
        return self._prompts

    def system(self, protocol: str) -> str | None:
        return "" if self._prompts == "janus" else None

    def questions(self, protocol: str, data: Path) -> list[Question]:
        ending = ENDINGS[self._prompts]
        return [
            Question(label.id, label.text + ending, (data / "val2014" / f"{label.image}.jpg",))
            for label in read_labels(data, _categories(protocol))
        ]

    def write(self, protocol: str, data: Path, answers: Mapping[str, str], folder: Path) -> tuple[Path, Path | None]:
        labels = read_labels(data, _categories(protocol))
        for name in _categories(protocol):
            asked = [label for label in labels if label.category == name and label.id in answers]
            write_answers(folder / "answers" / f"{name}.jsonl", ((label, answers[label.id]) for label in asked))
            write_labels(folder / "coco" / f"coco_pope_{name}.json", asked)
        return folder / "answers", folder / "coco"

    def score(self, protocol: str, predictions: Path, annotations: Path | None) -> ScoreCard:
        categories = _categories(protocol)
        if annotations is None:
            labels, answers, warnings = answers_with_labels(predictions, categories)
        else:
            labels = read_labels(annotations, categories)
            answers, warnings = answers_to(labels, predictions, annotations)
        items = judge(labels, answers, _reading(protocol))
        counts = by_category(items)
        card = ScoreCard("pope", f"pope@{protocol}", 1, _scores(protocol, items), items)
        card.records = [_record(label, answers.get(label.id)) for label in labels]
        card.details["per_category"] = {name: _official(counts[name], name, items) for name in counts}
        if len(counts) > 1:
            means = mean([part.measures() for part in counts.values()])
            card.details["mean_over_categories"] = {_official_name(key): _known(value) for key, value in means.items()}
        card.warnings = [*warnings, *_crashes(counts)]
        return card

    def aggregate(self, protocol: str, items: Sequence[ScoredItem]) -> Mapping[str, float]:
        return aggregate(protocol, items)


def build(options: PopeOptions, context: BuildContext) -> Pope:
    """The factory."""
    return Pope(options)


def _categories(protocol: str) -> tuple[str, ...]:
    name = protocol.removesuffix("-repaired")
    return (name,) if name in CATEGORIES else CATEGORIES


def _reading(protocol: str) -> Callable[[str], Read]:
    if protocol == "vlmevalkit":
        return read_vlmevalkit
    return read_repaired if protocol.endswith("-repaired") else read_official


def _scores(protocol: str, items: Sequence[ScoredItem]) -> list[Score]:
    """The scores by name, F1 and accuracy beside those of the answer yes to everything."""
    always = aggregate(protocol, [_yes(item) for item in items])
    found = []
    for name, value in aggregate(protocol, items).items():
        category, _, measure = name.rpartition(": ")
        part = [item for item in items if category in ("", item.facts["category"])]
        baselines = {"always yes": always[name]} if measure in ("F1", "accuracy") else {}
        if measure == "accuracy" and (category or not protocol.startswith("mean3")):
            right = sum(item.score == 1.0 for item in part)
            found.append(share(name, right, len(part), baselines, task="understanding"))
        else:
            found.append(Score(name, value, len(part), None, "share", baselines, task="understanding"))
    return found


def _yes(item: ScoredItem) -> ScoredItem:
    """The item, answered yes."""
    return replace(item, score=float(item.facts["label"] == "yes"), facts={**item.facts, "answer": "yes"})


def _official(counts: Counts, category: str, items: Sequence[ScoredItem]) -> dict[str, Any]:
    measures = counts.measures()
    cells: dict[str, Any] = {"TP": counts.tp, "FP": counts.fp, "TN": counts.tn, "FN": counts.fn}
    cells |= {_official_name(name): _known(value) for name, value in measures.items()}
    return cells | {"per_item": [item.parsed for item in items if item.facts["category"] == category]}


def _official_name(measure: str) -> str:
    return measure.lower().replace(" ", "_")


def _known(value: float) -> float | None:
    return None if value != value else value


def _crashes(counts: Mapping[str, Counts]) -> list[str]:
    return [
        f"{name}: no answer yes is right, so F1 is {'0' if part.fp or part.fn else 'not defined'}; the official code "
        "divides by zero and stops"
        for name, part in counts.items()
        if not part.tp
    ]


def _record(label: Label, answer: str | None) -> dict[str, Any]:
    truth = "yes" if label.yes else "no"
    return {"id": label.id, "image": label.image, "question": label.text, "truth": truth, "answer": answer}
