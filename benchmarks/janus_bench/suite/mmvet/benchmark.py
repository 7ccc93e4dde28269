"""MM-Vet: asks the questions, has the answers graded, writes and scores the official files."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from janus_bench.judges.options import build_judge
from janus_bench.judges.rule import RuleJudge
from janus_bench.suite.asked import AskedBenchmark
from janus_bench.suite.mmvet import score as scorer
from janus_bench.suite.mmvet.files import (
    Asked,
    Grades,
    find_predictions,
    read_grades,
    read_questions,
    write_grades,
    write_part,
    write_table,
)
from janus_bench.suite.mmvet.grade import grade
from janus_bench.suite.mmvet.options import MMVetOptions
from janus_bench.suite.mmvet.spec import SPEC
from janus_bench.suite.predicted import match as matched
from janus_bench.suite.predicted import read_answers
from janus_bench.suite.reading import named
from janus_core.errors import UserError
from janus_core.interfaces import BenchmarkWork, BuildContext, Question
from janus_core.scores import ScoreCard, ScoredItem

JANUS_SYSTEM = (
    "You are a helpful assistant. Please answer truthfully and write out your thinking step by step to be sure you get "
    "the right answer."
)
"""Of the Janus authors' own evaluation (VLMEvalKit#541)."""

JUDGE = "gpt-4-0613"
"""The official judge; numbers of another are not comparable."""

GRADE_FILE = re.compile(r"(?P<model>.+)_[^_]+-grade-\d+runs")

REPAIRS = (
    "the reply nan is no grade and is asked again; in a file of grades it is worth 0",
    "line feeds and bars in an answer do not break the row that the judge is shown",
    "the sixth reply is read like the others",
)


class MMVet(AskedBenchmark):
    """Graded by a judge, or scored from a file of grades."""

    data = SPEC.data

    def __init__(self, options: MMVetOptions) -> None:
        self.options = options
        self._style = options.prompts or "janus"
        self._ran: Path | None = None
        # VLMEvalKit's Janus and LLaVA's model_vqa.py
        self.max_new_tokens = 2048 if self._style == "janus" else 1024

    def style(self, protocol: str) -> str:
        """Whose prompts are asked."""
        return self._style

    def system(self, protocol: str) -> str | None:
        """Janus is told to think step by step."""
        return JANUS_SYSTEM if self._style == "janus" else None

    def run(self, work: BenchmarkWork) -> ScoreCard:
        """Ask, write, have graded, score; without a judge the answers are written and there is no score yet."""
        # a file of replies is read and a key is looked for before the model is asked anything
        build_judge(self.options.judge, work.folder / "judge_replies.jsonl")
        return super().run(work)

    def questions(self, protocol: str, data: Path) -> list[Question]:
        """The questions in the order of the official file."""
        return [
            Question(name, asked.text, (data / "images" / asked.image,))
            for name, asked in read_questions(data / "mm-vet.json").items()
        ]

    def write(self, protocol: str, data: Path, answers: Mapping[str, str], folder: Path) -> tuple[Path, Path | None]:
        """``model.json`` for the official evaluator, and the questions that were asked."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.json").write_text(json.dumps(answers, indent=2), encoding="utf-8")
        write_part(data / "mm-vet.json", folder / "mm-vet.json", list(answers))
        self._ran = folder
        return folder / "model.json", folder / "mm-vet.json"

    def score(self, protocol: str, predictions: Path, annotations: Path | None) -> ScoreCard:
        """Score a file of grades, or have ``{id: answer}`` graded by the judge of the options."""
        if annotations is None:
            raise UserError("MM-Vet is scored against its questions", "give --annotations mm-vet.json")
        version = {one.name: one.version for one in SPEC.protocols}[protocol]
        card = ScoreCard("mmvet", f"mmvet@{protocol}", version, [])
        questions = read_questions(annotations)
        repaired = protocol == "gpt4-repaired"
        file, graded = find_predictions(predictions)
        answers: Mapping[str, str] = {}
        if graded:
            grades = read_grades(file)
            card.settings["judge"] = f"grades of {file.name}"
        else:
            answers = _answers(file, questions, card.warnings)
            found = self._graded(card, questions, answers, file, repaired)
            if found is None:
                return card
            grades = found
        runs = self._runs(grades, questions, file, card.warnings, graded)
        card.items = scorer.score_items(questions, grades, runs, repaired)
        card.scores = [score for score in scorer.scores(card.items) if score.total]
        card.settings["runs"] = runs
        _tell_judge(card, grades)
        self._tables(card, file, repaired, runs, graded)
        card.details["grades"] = {
            name: {"model": one.model, "content": one.content, "score": one.score} for name, one in grades.items()
        }
        card.records = [
            {
                "id": name,
                "question": asked.text,
                "truth": asked.truth,
                "answer": answers.get(name),
                "grades": item.facts["grades"],
                "replies": grades[name].content if name in grades else [],
            }
            for (name, asked), item in zip(questions.items(), card.items, strict=True)
        ]
        return card

    def aggregate(self, protocol: str, items: Sequence[ScoredItem]) -> Mapping[str, float]:
        """The mean grade of all answers, and of those that need a capability."""
        return {score.name: score.value for score in scorer.scores(items)}

    def _graded(
        self, card: ScoreCard, questions: Mapping[str, Asked], answers: Mapping[str, str], file: Path, repaired: bool
    ) -> dict[str, Grades] | None:
        """The judge's grades; without a judge those that lie beside the answers, or None after a run."""
        out = self._out(file)
        judge = build_judge(self.options.judge, out / "judge_replies.jsonl")
        if judge is None:
            return self._beside(card, file)
        card.settings["judge"] = judge.id
        card.stand_in = judge.stand_in
        runs = self.options.runs or 1
        target = out / f"{file.stem}_{self._judge_name()}-grade-{runs}runs.json"
        return grade(
            questions, answers, judge, runs, repaired=repaired, after_each=lambda found: write_grades(target, found)
        )

    def _beside(self, card: ScoreCard, file: Path) -> dict[str, Grades] | None:
        found = sorted(file.parent.glob(f"{file.stem}_*-grade-*runs.json"))
        if len(found) == 1:
            card.settings["judge"] = f"grades of {found[0].name}"
            card.warnings.append(f"there is no judge: the grades of {found[0]} are taken, as the official code does")
            return read_grades(found[0])
        remedy = (
            f"janus bench score mmvet --annotations mm-vet.json --predictions {file} --set judge.type=endpoint, or "
            "give a file of grades as --predictions"
        )
        if self._ran == file.parent:
            card.warnings.append(f"the answers are not graded yet: {remedy}")
            return None
        have = f"several files of grades lie beside them: {named([one.name for one in found])}" if found else "no judge"
        raise UserError(f"{file} holds answers without grades, and {have}", remedy)

    def _runs(
        self,
        grades: Mapping[str, Grades],
        questions: Mapping[str, Asked],
        file: Path,
        warnings: list[str],
        told: bool,
    ) -> int:
        """How many runs count; what is missing and what is too much is told."""
        given = {name: len(one.score) for name, one in grades.items() if name in questions}
        if extra := [name for name in grades if name not in questions]:
            warnings.append(
                f"{len(extra)} grades belong to no question and are not scored (the official code stops with a "
                f"KeyError): {named(extra)}"
            )
        missing = [name for name in questions if name not in given]
        if missing and told:
            warnings.append(
                f"{len(missing)} questions have no grade and are worth 0 (the official code asks its judge): "
                f"{named(missing)}"
            )
        runs = self.options.runs or max(given.values(), default=1) or 1
        if short := [name for name, number in given.items() if number < runs]:
            raise UserError(
                f"{file}: {named(short)} have fewer than {runs} grades",
                f"have them graded, or take --set runs={min(given.values())}",
            )
        return runs

    def _tables(self, card: ScoreCard, file: Path, repaired: bool, runs: int, graded: bool) -> None:
        named_so = GRADE_FILE.fullmatch(file.stem) if graded else None
        model = named_so["model"] if named_so else file.stem
        single, sets = scorer.official_tables(card.items, model)
        card.details |= {"cap_score": single, "cap_integration_score": sets}
        if repaired:
            card.details["repaired"] = list(REPAIRS)
        if not graded or self.options.out is not None:
            out = self._out(file)
            out.mkdir(parents=True, exist_ok=True)
            for name, row in (("cap-score", single), ("cap-int-score", sets)):
                write_table(out / f"{model}_{self._judge_name()}-{name}-{runs}runs.csv", row)

    def _out(self, file: Path) -> Path:
        return file.parent if self.options.out is None else Path(self.options.out)

    def _judge_name(self) -> str:
        """Of files; a model's name may hold slashes."""
        judge = self.options.judge
        return RuleJudge.id if judge.type == "rule" else judge.model.replace("/", "-")


def _answers(file: Path, questions: Mapping[str, Asked], warnings: list[str]) -> Mapping[str, str]:
    """The answers by id; LLaVA's lack the ``v1_`` before the number, which its converter adds."""
    pairs = [
        (f"v1_{name}" if name not in questions and f"v1_{name}" in questions else name, text)
        for name, text in read_answers(file, ("question_id", "id"), ("text", "answer", "prediction"))
    ]
    found = matched(pairs, questions)
    warnings += found.warnings(
        missing="the official code stops with a KeyError",
        extra="as in the official code",
        repeated="as in the official code",
    )
    return found.by_id


def _tell_judge(card: ScoreCard, grades: Mapping[str, Grades]) -> None:
    """Say whose grades these are, and what is wrong with them."""
    models = sorted({model for one in grades.values() for model in one.model if model})
    card.settings["judge models"] = models
    if RuleJudge.id in models:
        card.stand_in = RuleJudge.stand_in
    if others := [model for model in models if model != JUDGE]:
        card.warnings.append(f"graded by {', '.join(others)}: not comparable with grades of {JUDGE}")
    if poisoned := [item.id for item in card.items if math.isnan(item.score or 0.0)]:
        card.warnings.append(
            f"the judge said nan to {named(poisoned)}: every mean with them is nan, as in the official code; "
            "mmvet@gpt4-repaired takes nan for no grade"
        )


def build(options: MMVetOptions, context: BuildContext) -> MMVet:
    """The benchmark."""
    return MMVet(options)
