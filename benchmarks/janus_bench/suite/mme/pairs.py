"""Sets answers to MME in pairs: two questions a picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from janus_bench.suite.reading import named
from janus_core.errors import UserError

YES_NO = "Please answer yes or no."
SHORT = "Answer the question using a single word or phrase."


@dataclass(frozen=True, slots=True)
class Line:
    """A question about a picture.

    Attributes:
        truth: yes or no.
        response: the answer; None: there is none.
        place: file and line, for messages.
    """

    subtask: str
    image: str
    question: str
    truth: str
    response: str | None
    place: str

    @property
    def key(self) -> tuple[str, str, str]:
        """Which question it is, whatever a prompt adds to it; toolkits change the ending of the picture's name."""
        words = self.question.replace(SHORT, "").replace(YES_NO, "")
        return self.subtask, PurePath(self.image).stem, " ".join(words.split())


@dataclass(frozen=True, slots=True)
class Pair:
    """The two questions about a picture; None: it is not known which question is missing."""

    id: str
    cluster: str
    subtask: str
    lines: tuple[Line | None, Line | None]


def paired(lines: Iterable[Line]) -> tuple[list[Pair], list[str]]:
    """Pairs by the name of the picture, in the order in which the pictures come.

    The official code takes every two lines for a pair, whatever picture they name. In official files that is the same.

    Raises:
        UserError: a question of a picture with more than two lines is answered twice and differently.
    """
    by_image: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        by_image.setdefault((line.subtask, line.image), []).append(line)
    pairs, copies, halves, same = [], [], [], []
    for (subtask, image), found in by_image.items():
        cluster = f"{subtask}/{image}"
        if len(found) == 2 and found[0].key == found[1].key:
            same.append(cluster)
        elif len(found) > 2:
            found, more = _once(found)
            copies += more
        for number in range(0, len(found), 2):
            second = found[number + 1] if number + 1 < len(found) else None
            if second is None:
                halves.append(f"{cluster} ({found[number].place})")
            name = cluster if number == 0 else f"{cluster}+{number // 2}"
            pairs.append(Pair(name, cluster, subtask, (found[number], second)))
    warnings = []
    if copies:
        warnings.append(f"lines that stand twice count once; the official code pairs them: {named(copies)}")
    if same:
        warnings.append(f"the same question twice about one picture, counted as two as officially: {named(same)}")
    if halves:
        warnings.append(
            f"{len(halves)} pictures have one question of two; the other counts as wrong; the official code stops, or "
            f"pairs lines of different pictures: {named(halves)}"
        )
    return pairs, warnings


def matched(lines: Iterable[Line], questions: Sequence[Line]) -> tuple[list[Line], list[str]]:
    """The questions of the annotations with their answers; a question without one has the response None.

    Raises:
        UserError: a question is answered twice and differently, or its truth is another; it is named.
    """
    waiting: dict[tuple[str, str, str], list[int]] = {}
    for number, question in enumerate(questions):
        waiting.setdefault(question.key, []).append(number)
    answers: dict[int, Line] = {}
    extra: list[str] = []
    copies: list[str] = []
    for line in lines:
        numbers = waiting.get(line.key, [])
        free = [n for n in numbers if n not in answers]
        if not numbers:
            extra.append(line.place)
        elif not free:
            if all(answers[n].response != line.response for n in numbers):
                raise _differ(answers[numbers[0]], line)
            copies.append(line.place)
        elif questions[free[0]].truth != line.truth:
            raise UserError(
                f"{line.place} says that {line.truth} is right, {questions[free[0]].place} that it is not",
                "take annotations and predictions from one version of MME",
            )
        else:
            answers[free[0]] = line
    found = [_answered(question, answers.get(number)) for number, question in enumerate(questions)]
    missing = [f"{line.place} ({line.image})" for line in found if line.response is None]
    return found, [
        f"{len(names)} {what}: {named(names)}"
        for names, what in (
            (missing, "questions have no answer and count as wrong; the official code knows only what is answered"),
            (extra, "answers belong to no question and are not scored; the official code scores them"),
            (copies, "lines that stand twice count once; the official code pairs them"),
        )
        if names
    ]


def shifted(lines: Sequence[Line]) -> bool:
    """Whether every two lines, as the official code pairs them, are about different pictures somewhere."""
    return any(a.image != b.image for a, b in zip(lines[::2], lines[1::2], strict=False))


def by_subtask(lines: Iterable[Line]) -> Mapping[str, list[Line]]:
    """The lines of each subtask, in their order."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line.subtask, []).append(line)
    return found


def _once(lines: Sequence[Line]) -> tuple[list[Line], list[str]]:
    kept: dict[tuple[str, str, str], Line] = {}
    copies = []
    for line in lines:
        former = kept.setdefault(line.key, line)
        if former is not line:
            if (former.response, former.truth) != (line.response, line.truth):
                raise _differ(former, line)
            copies.append(line.place)
    return list(kept.values()), copies


def _differ(one: Line, other: Line) -> UserError:
    return UserError(
        f"{other.place} answers {other.question!r} about {other.image} a second time and differently: "
        f"{other.response!r}, and {one.response!r} in {one.place}",
        "leave one answer; the official code has no rule for this",
    )


def _answered(question: Line, line: Line | None) -> Line:
    return question if line is None else replace(question, response=line.response, place=line.place)
