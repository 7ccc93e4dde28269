"""Has answers graded as mm-vet_evaluator.py of yuweihao/MM-Vet (acde843) does."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from janus_bench.judges.judge import Judge, Request
from janus_bench.suite.mmvet.files import Asked, Grades
from janus_bench.suite.mmvet.prompt import AGAIN, MAX_TOKENS, TRIES, row, temperature


def read_grade(content: str, repaired: bool = False) -> float | None:
    """The grade that a reply begins with, None if it begins with none; NaN is one unless repaired."""
    try:
        found = float(content.split(" ")[0].strip())
    except ValueError:
        return None
    if found > 1.0 or found < 0.0 or (repaired and math.isnan(found)):
        return None
    return found


def grade(
    questions: Mapping[str, Asked],
    answers: Mapping[str, str],
    judge: Judge,
    runs: int,
    *,
    repaired: bool = False,
    after_each: Callable[[Mapping[str, Grades]], None] | None = None,
) -> dict[str, Grades]:
    """Grade each answer ``runs`` times, run by run; a question without an answer is not graded.

    Args:
        repaired: line feeds and bars of an answer do not break the table, NaN is asked again, the sixth reply is read.
        after_each: called with all grades so far.

    Raises:
        UserError: the judge gives no reply.
    """
    found: dict[str, Grades] = {}
    for run in range(runs):
        for name, asked in questions.items():
            if name not in answers:
                continue
            said = answers[name]
            if repaired:
                said = " ".join(said.split()).replace("|", "/")
            _one(found.setdefault(name, Grades()), asked, said, judge, run, repaired)
            if after_each is not None:
                after_each(found)
    return found


def _one(grades: Grades, asked: Asked, said: str, judge: Judge, run: int, repaired: bool) -> None:
    prompt = row(asked.text, asked.truth, said)
    score: float | None = None
    for call in range(TRIES):
        request = Request(
            name=f"{asked.id} run {run} try {call}",
            prompt=prompt + AGAIN if call else prompt,
            temperature=temperature(call),
            max_tokens=MAX_TOKENS,
            truth=asked.truth,
            said=said,
        )
        reply = judge.ask(request)
        content = reply.text
        if call == TRIES - 1 and not repaired:
            break
        score = read_grade(content, repaired)
        if score is not None:
            content = content.split(" ")[0].strip()
            break
    grades.model.append(reply.model)
    grades.content.append(content)
    grades.score.append(0.0 if score is None else score)
