"""What can be reached without understanding or drawing anything: pure functions over scenes and questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from janus_openmoji_scenes.language import KINDS, Kind, Question, answers, caption
from janus_openmoji_scenes.scene import Scene
from janus_openmoji_scenes.score import Reading, Score, compare, total
from janus_openmoji_scenes.vocabulary import COLOURS, DRAWINGS

__all__ = [
    "accuracy_by_kind",
    "chance_answer",
    "chance_colour",
    "chance_object",
    "majority_answers",
    "nearest_scene",
    "nearest_score",
]


def majority_answers(training: Iterable[Question]) -> dict[Kind, str]:
    """Return the commonest training answer of each kind, the alphabetically first of equals."""
    counts: dict[Kind, Counter[str]] = {}
    for question in training:
        counts.setdefault(question.kind, Counter())[question.answer] += 1
    return {kind: min(count, key=lambda answer: (-count[answer], answer)) for kind, count in counts.items()}


def accuracy_by_kind(questions: Sequence[Question], given: Sequence[str]) -> dict[Kind, float]:
    """Return the share of exactly right answers for each kind that occurs, after trimming and lower-casing.

    Args:
        questions: the questions with their right answers.
        given: the answers to score, in the same order (``majority[question.kind]`` for the majority baseline).

    Raises:
        ValueError: the two differ in length.
    """
    if len(questions) != len(given):
        raise ValueError(f"{len(questions)} questions but {len(given)} answers; give one answer a question")
    right: dict[Kind, list[bool]] = {}
    for question, answer in zip(questions, given, strict=True):
        right.setdefault(question.kind, []).append(answer.strip().lower() == question.answer)
    return {kind: sum(right[kind]) / len(right[kind]) for kind in KINDS if kind in right}


def chance_answer(kind: Kind) -> float:
    """Return the accuracy of an even guess among the kind's possible answers."""
    return 1 / len(answers(kind))


def chance_object() -> float:
    """Return the object accuracy of drawings put at random, one at every place."""
    return 1 / len(DRAWINGS)


def chance_colour() -> float:
    """Return the colour accuracy of a background chosen at random."""
    return 1 / len(COLOURS)


def nearest_scene(scene: Scene, training: Mapping[str, Scene] | Sequence[Scene]) -> Scene:
    """Return the training scene whose caption shares most words with the caption of ``scene``, the first of equals.

    Overlap is counted as a multiset and divided by the union, so that longer captions have no advantage.
    ``training`` may map captions to scenes, which spares making them again for each call.
    """
    captions = training if isinstance(training, Mapping) else {caption(entry): entry for entry in training}
    wanted = Counter(caption(scene).replace(",", "").split())

    def overlap(text: str) -> float:
        words = Counter(text.replace(",", "").split())
        return (wanted & words).total() / (wanted | words).total()

    return captions[max(captions, key=overlap)]


def nearest_score(test: Sequence[Scene], training: Sequence[Scene]) -> Score:
    """Score, for each test scene, the picture of its nearest training scene: drawing by copying."""
    captions = {caption(entry): entry for entry in training}
    return total(compare(Reading.of(nearest_scene(scene, captions)), scene) for scene in test)
