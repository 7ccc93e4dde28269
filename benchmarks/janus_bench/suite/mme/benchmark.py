"""MME: asks, writes results for the official tool, scores files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from janus_bench.suite.asked import AskedBenchmark
from janus_bench.suite.mme.files import picture, read_questions, read_results, write_results
from janus_bench.suite.mme.options import MmeOptions
from janus_bench.suite.mme.pairs import SHORT, YES_NO, Line, Pair, by_subtask, matched, paired, shifted
from janus_bench.suite.mme.score import aggregate, detail, judge, read_official, read_repaired
from janus_bench.suite.mme.spec import COGNITION, PERCEPTION, SIZES, SPEC, SUBTASKS
from janus_core.errors import UserError
from janus_core.interfaces import BuildContext, Question
from janus_core.scores import Score, ScoreCard, ScoredItem


class Mme(AskedBenchmark):
    """See ``spec``."""

    data = SPEC.data
    max_new_tokens = 128

    def __init__(self, options: MmeOptions) -> None:
        self._prompts = options.prompts or "janus"

    def style(self, protocol: str) -> str:
        """Whose prompts are asked."""
        return self._prompts

    def system(self, protocol: str) -> str | None:
        return "" if self._prompts == "janus" else None

    def questions(self, protocol: str, data: Path) -> list[Question]:
        return [
            Question(f"{pair.id}#{number}", self._prompt(line.question), (picture(data, line),))
            for pair in paired(read_questions(data))[0]
            for number, line in enumerate(pair.lines, 1)
            if line is not None
        ]

    def _prompt(self, question: str) -> str:
        if self._prompts == "official":
            return question
        if self._prompts == "llava":
            question = question.replace(YES_NO, "").strip()
        return f"{question}\n{SHORT}"

    def write(self, protocol: str, data: Path, answers: Mapping[str, str], folder: Path) -> tuple[Path, Path | None]:
        whole: list[Line] = []
        for pair in paired(read_questions(data))[0]:
            lines = [(f"{pair.id}#{n}", line) for n, line in enumerate(pair.lines, 1) if line is not None]
            # the last picture of a limited run may have been asked one question of two
            if all(name in answers for name, _ in lines):
                whole += [replace(line, response=answers[name]) for name, line in lines]
        if not whole:
            raise UserError("MME asks two questions a picture", "give a --limit of 2 or more")
        write_results(folder / "results", whole)
        return folder / "results", None

    def score(self, protocol: str, predictions: Path, annotations: Path | None) -> ScoreCard:
        questions = read_questions(annotations) if annotations is not None else []
        lines, warnings = read_results(predictions, questions)
        if questions:
            lines, more = matched(lines, questions)
            warnings += more
        pairs, more = paired(lines)
        items = judge(pairs, read_official if protocol == "official" else read_repaired)
        if not items:
            raise UserError(f"{predictions} holds no answer", "is this the folder of results?")
        points = aggregate(items)
        card = ScoreCard("mme", f"mme@{protocol}", 1, _scores(points, items), items)
        card.records = [_record(pair, number, line) for pair in pairs for number, line in enumerate(pair.lines, 1)]
        card.details = _details(points, items)
        card.warnings = [*warnings, *more, *_gaps(items)]
        if not questions:
            card.warnings += [*_order(lines), *_sizes(lines)]
        return card

    def aggregate(self, protocol: str, items: Sequence[ScoredItem]) -> Mapping[str, float]:
        return aggregate(items)


def build(options: MmeOptions, context: BuildContext) -> Mme:
    """The factory."""
    return Mme(options)


def _scores(points: Mapping[str, float], items: Sequence[ScoredItem]) -> list[Score]:
    counts = {name: sum(item.facts["subtask"] == name for item in items) for name in SUBTASKS}
    sides = {"Perception": PERCEPTION, "Cognition": COGNITION}
    counts |= {side: sum(counts[name] for name in names) for side, names in sides.items()}
    return [Score(name, value, counts[name], unit="points", task="understanding") for name, value in points.items()]


def _details(points: Mapping[str, float], items: Sequence[ScoredItem]) -> dict[str, Any]:
    parts = {name: [item for item in items if item.facts["subtask"] == name] for name in points}
    return {
        "MME_P_total": points["Perception"],
        "MME_C_total": points["Cognition"],
        "subtask_score": {name: points[name] for name in SUBTASKS if name in points},
        "subtask_detail": {name: detail(part) for name, part in parts.items() if part},
        "per_item_parsed": {name: [item.parsed for item in part] for name, part in parts.items() if part},
    }


def _order(lines: Sequence[Line]) -> list[str]:
    """Where the official code pairs lines of different pictures."""
    names = [name for name, part in by_subtask(lines).items() if shifted(part)]
    if not names:
        return []
    return [
        f"{', '.join(names)}: the lines of a picture do not follow each other; they are paired by the picture's name, "
        "while the official code pairs every two lines and would give another number or stop"
    ]


def _sizes(lines: Sequence[Line]) -> list[str]:
    """Results do not tell what they lack, but the size of the released MME does."""
    other = [
        f"{name} {len(part)} of {SIZES[name]}" for name, part in by_subtask(lines).items() if len(part) != SIZES[name]
    ]
    if not other:
        return []
    return [f"not the released MME: {', '.join(other)} questions; with --annotations what is missing counts as wrong"]


def _gaps(items: Sequence[ScoredItem]) -> list[str]:
    parsed = {name: [item.parsed for item in items if item.facts["subtask"] == name] for name in SUBTASKS}
    lacking = [name for name, found in parsed.items() if not found]
    unread = [name for name, found in parsed.items() if found and not {"yes", "no"}.intersection(found)]
    found = []
    if lacking:
        found.append(f"no answers for {', '.join(lacking)}: counted as 0 points; the official code stops")
    if unread:
        found.append(f"no answer is yes or no in {', '.join(unread)}: 0 points; the official code stops")
    return found


def _record(pair: Pair, number: int, line: Line | None) -> dict[str, Any]:
    about: dict[str, Any] = {"id": f"{pair.id}#{number}"}
    if line is not None:
        about |= {"image": line.image, "question": line.question, "truth": line.truth, "answer": line.response}
    return about
