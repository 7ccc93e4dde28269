"""Reads answers as yes or no and counts them, as POPE's ``evaluate.py`` and LLaVA's copy of it do."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal

from janus_bench.suite.pope.files import Label
from janus_bench.suite.pope.spec import CATEGORIES
from janus_core.scores import ScoredItem

YesNo = Literal["yes", "no"]
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
NO_WORDS = frozenset({"no", "not", "nope"})
MEASURES = ("F1", "accuracy", "precision", "recall", "yes ratio")


@dataclass(frozen=True, slots=True)
class Read:
    """What a rule makes of an answer.

    Attributes:
        answer: how it counts; None: wrong whatever the label is.
        parsed: as the rule calls it.
        understood: false where the rule found no word to go by.
    """

    answer: YesNo | None
    parsed: str
    understood: bool


def read_official(text: str) -> Read:
    """No if a word before the first full stop is exactly ``No``, ``no`` or ``not``; whatever else is yes.

    An answer without the word yes is yes only because it has to be something: it is marked as not understood.
    """
    words = text.split(".")[0].replace(",", "").split(" ")
    if not {"No", "not", "no"}.isdisjoint(words):
        return Read("no", "no", True)
    return Read("yes", "yes", "yes" in _words(text))


def read_repaired(text: str) -> Read:
    """By the first word that is yes, no, not, nope or a contraction with n't, in any case."""
    for word in _words(text):
        if word == "yes":
            return Read("yes", "yes", True)
        if word in NO_WORDS or word.endswith(("n't", "n’t")):
            return Read("no", "no", True)
    return Read(None, "other", False)


def read_vlmevalkit(text: str) -> Read:
    """VLMEvalKit's ``YOrN_Extraction``: the word yes or the word no, not both; otherwise Unknown.

    Its F1 counts Unknown as an answer that is not yes, its accuracy as wrong.
    """
    words = _vqa_words(text.lower())
    if ("yes" in words) == ("no" in words):
        return Read("no", "Unknown", False)
    return Read("yes", "Yes", True) if "yes" in words else Read("no", "No", True)


def judge(labels: Sequence[Label], answers: Mapping[str, str], read: Callable[[str], Read]) -> list[ScoredItem]:
    """One item a question; a question without an answer is answered wrongly."""
    return [_item(label, answers.get(label.id), read) for label in labels]


def _item(label: Label, text: str | None, read: Callable[[str], Read]) -> ScoredItem:
    truth: YesNo = "yes" if label.yes else "no"
    wrong: YesNo = "no" if label.yes else "yes"
    facts = {"category": label.category, "label": truth}
    if text is None:
        return ScoredItem(label.id, label.image, 0.0, None, "missing", facts | {"answer": wrong})
    found = read(text)
    answer = found.answer or wrong
    right = answer == truth and found.parsed != "Unknown"
    status: Literal["scored", "unparsed"] = "scored" if found.understood else "unparsed"
    return ScoredItem(label.id, label.image, float(right), found.parsed, status, facts | {"answer": answer})


@dataclass(frozen=True, slots=True)
class Counts:
    """Answers against labels; ``right`` may be less than TP + TN where an answer is neither yes nor no."""

    tp: int
    fp: int
    tn: int
    fn: int
    right: int

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def total(self) -> int:
        return self.tp + self.fp + self.tn + self.fn

    def measures(self) -> dict[str, float]:
        """The five numbers; NaN where one is not defined, F1 = 0 where no yes is right."""
        precision, recall = _ratio(self.tp, self.tp + self.fp), _ratio(self.tp, self.tp + self.fn)
        f1 = 0.0 if self.fp or self.fn else math.nan
        if self.tp:
            f1 = 2 * precision * recall / (precision + recall)
        accuracy, yes = _ratio(self.right, self.total), _ratio(self.tp + self.fp, self.total)
        return dict(zip(MEASURES, (f1, accuracy, precision, recall, yes), strict=True))


NOTHING = Counts(0, 0, 0, 0, 0)


def by_category(items: Iterable[ScoredItem]) -> dict[str, Counts]:
    """The counts of each category that occurs, in POPE's order; yes is the positive answer."""
    # one pass: resampling calls this thousands of times
    cells = Counter((i.facts["category"], i.facts["label"], i.facts["answer"], i.score) for i in items)
    found = {}
    for name in CATEGORIES:
        part = {cell[1:]: n for cell, n in cells.items() if cell[0] == name}
        if part:
            tp, fp, tn, fn = (sum(part.get((*cell, score), 0) for score in (0.0, 1.0)) for cell in CELLS)
            found[name] = Counts(tp, fp, tn, fn, sum(n for cell, n in part.items() if cell[2] == 1.0))
    return found


CELLS = (("yes", "yes"), ("no", "yes"), ("no", "no"), ("yes", "no"))
"""(label, answer) of TP, FP, TN and FN."""


def aggregate(protocol: str, items: Sequence[ScoredItem]) -> dict[str, float]:
    """The scores of a protocol by name."""
    counts = by_category(items)
    each = {f"{name}: {key}": value for name, c in counts.items() for key, value in c.measures().items()}
    if protocol.startswith("mean3"):
        return mean([c.measures() for c in counts.values()]) | each
    pooled = sum(counts.values(), NOTHING).measures()
    return pooled | each if protocol == "vlmevalkit" else pooled


def mean(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The plain mean of each number."""
    return {name: _ratio(sum(part[name] for part in parts), len(parts)) for name in MEASURES}


def _ratio(part: float, whole: int) -> float:
    return part / whole if whole else math.nan


def _words(text: str) -> list[str]:
    return WORD.findall(text.casefold())


def _vqa_words(text: str) -> list[str]:
    """VQA's way with punctuation: out where it stands beside a space or a number has a comma, else a space."""
    inside = text
    number_with_comma = re.search(r"\d,\d", inside) is not None
    for mark in ';/[]"{}()=+\\_-><@`,?!':
        beside = f"{mark} " in inside or f" {mark}" in inside
        text = text.replace(mark, "" if beside or number_with_comma else " ")
    # the toolkit hands re.UNICODE over as the count: no more than 32 full stops go
    return re.sub(r"(?<!\d)\.(?!\d)", "", text, count=32).split()
