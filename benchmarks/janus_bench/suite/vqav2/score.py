"""Scores VQAv2 as vqaEval.py of GT-Vision-Lab/VQA (a013f00) does, run on Python 3.

Python 2, for which it was written, rounds ties at the third decimal the other way and takes only ASCII digits for
digits between commas.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

from janus_bench.suite.vqav2.files import Annotation
from janus_bench.suite.vqav2.words import ARTICLES, CONTRACTIONS, LONE_STOP, MARKS, NUMBERS, STOPS
from janus_core.scores import Score, ScoredItem, Status

NUMBER_WITH_COMMA = re.compile(r"\d,\d")
ANSWER_TYPES = ("yes/no", "number", "other")


def one_line(text: str) -> str:
    """Line feeds and tabs become spaces; outer space goes."""
    return text.replace("\n", " ").replace("\t", " ").strip()


def without_marks(text: str, stops: int = STOPS) -> str:
    """Marks removed or replaced by a space, then full stops removed (``stops`` of them; 0: all).

    A mark goes without a trace if it stands beside a space anywhere in the text, or if the text holds a number such as
    1,000 anywhere; else it becomes a space.
    """
    found = text
    joined = NUMBER_WITH_COMMA.search(text) is not None
    for mark in filter(text.__contains__, MARKS):
        beside_space = mark + " " in text or " " + mark in text
        found = found.replace(mark, "" if joined or beside_space else " ")
    return LONE_STOP.sub("", found, count=stops)


def plain_words(text: str) -> str:
    """Lower case, number words as digits, no articles, contractions with their apostrophes, single spaces."""
    words = (NUMBERS.get(word, word) for word in text.lower().split())
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES)


@lru_cache(maxsize=100_000)  # two million answers of people are few different texts
def normalise(text: str) -> str:
    """What the official scorer does to both sides where the ten people do not all agree."""
    return plain_words(without_marks(text))


def llava_normalise(text: str) -> str:
    """What LLaVA does to an answer before it is uploaded (m4c_evaluator.py at c121f04)."""
    spaced = text.lower().replace(",", "").replace("?", "").replace("'s", " 's").strip()
    return normalise(one_line(spaced))


def looks_normalised(text: str) -> bool:
    """Whether `llava_normalise` could have made this text.

    It leaves none of the marks, capitals, articles or number words, and ``'s`` joined to a word only where a
    contraction made it.
    """
    joined = [word for word in text.split() if "'s" in word[1:] and word not in CONTRACTIONS.values()]
    return text == normalise(text) and not joined


def as_given(text: str) -> str:
    """The prediction as the official scorer takes it where the ten people agree."""
    return one_line(text)


def agreement(said: str, answers: Sequence[tuple[str, str]]) -> float:
    """The mean over the people of min(1, matches among the others / 3).

    Args:
        answers: text and identity of each person's answer; the others are those that differ in either.
    """
    worth = [
        min(1, sum(other[0] == said for other in answers if other != one) / 3)
        for one in answers
    ]  # fmt: skip
    return float(sum(worth)) / len(worth)


def judge_official(prediction: str, truth: Annotation) -> tuple[str, float]:
    """The prediction as it is compared, and its accuracy: normalised only if the ten people do not all agree."""
    answers = [(one_line(text), who) for text, who in truth.answers]
    said = one_line(prediction)
    if len({text for text, _ in answers}) > 1:
        answers = [(normalise(text), who) for text, who in answers]
        said = normalise(said)
    return said, agreement(said, answers)


def judge_repaired(prediction: str, truth: Annotation) -> tuple[str, float]:
    """As `judge_official`, with both sides always normalised and without the quirks named in the protocol."""

    def clean(text: str) -> str:
        return plain_words(without_marks(one_line(text), stops=0))

    said = clean(prediction)
    if not one_line(prediction):
        return said, 0.0
    return said, agreement(said, [(clean(text), who) for text, who in truth.answers])


def score_items(
    truths: Iterable[Annotation],
    predictions: Mapping[str, str],
    judge: Callable[[str, Annotation], tuple[str, float]],
    absent: str | None,
) -> list[ScoredItem]:
    """One item a question.

    Args:
        absent: what stands for a missing prediction; None: it is worth 0.
    """
    items = []
    for truth in truths:
        given = predictions.get(truth.question_id, absent)
        said, worth = (None, 0.0) if given is None else judge(given, truth)
        missing = truth.question_id not in predictions
        blank = given is not None and not given.strip()
        status: Status = "missing" if missing else "unparsed" if blank else "scored"
        facts = {"question type": truth.question_type, "answer type": truth.answer_type}
        items.append(ScoredItem(truth.question_id, f"image {truth.image_id}", worth, said, status, facts))
    return items


def mean(values: Sequence[float]) -> float:
    """NaN of nothing."""
    return sum(values) / len(values) if values else math.nan


def aggregate(items: Sequence[ScoredItem]) -> dict[str, float]:
    """Accuracy, over all questions and by answer type."""
    return {score.name: score.value for score in scores(items)}


def scores(items: Sequence[ScoredItem]) -> list[Score]:
    """The accuracy of all questions, and of each answer type."""
    worth = [item.score or 0.0 for item in items]
    found = [Score("accuracy", mean(worth), len(worth), task="understanding")]
    present = {item.facts["answer type"] for item in items}
    for kind in (*ANSWER_TYPES, *sorted(present - set(ANSWER_TYPES))):
        part = [item.score or 0.0 for item in items if item.facts["answer type"] == kind]
        found.append(Score(f"accuracy: {kind}", mean(part), len(part), task="understanding"))
    return found


def official_tables(items: Sequence[ScoredItem]) -> dict[str, object]:
    """``accuracy`` and ``evalQA`` as the official program gives them: per cent, two decimals."""

    def by(fact: str) -> dict[str, float]:
        groups: dict[str, list[float]] = {}
        for item in items:
            groups.setdefault(item.facts[fact], []).append(item.score or 0.0)
        return {name: _per_cent(worth) for name, worth in groups.items()}

    return {
        "accuracy": {
            "overall": _per_cent([item.score or 0.0 for item in items]),
            "perQuestionType": by("question type"),
            "perAnswerType": by("answer type"),
        },
        "evalQA": {item.id: round(100 * (item.score or 0.0), 2) for item in items},
    }


def _per_cent(worth: Sequence[float]) -> float:
    return round(100 * float(sum(worth)) / len(worth), 2)
