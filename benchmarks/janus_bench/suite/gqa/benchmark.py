"""GQA: asks the questions, writes what eval.py takes, scores it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from janus_bench.suite.asked import AskedBenchmark
from janus_bench.suite.gqa import score as scorer
from janus_bench.suite.gqa.files import (
    Asked,
    Choices,
    read_choices,
    read_questions,
    write_answers,
    write_part,
    write_predictions,
)
from janus_bench.suite.gqa.options import GQAOptions
from janus_bench.suite.gqa.spec import SPEC
from janus_bench.suite.predicted import match as matched
from janus_bench.suite.predicted import one_file, read_answers
from janus_bench.suite.reading import named
from janus_core.errors import UserError
from janus_core.interfaces import BuildContext, Question
from janus_core.scores import ScoreCard, ScoredItem

PROMPT = "{question}\nAnswer the question using a single word or phrase."
"""LLaVA's prompt for short answers (docs/Evaluation.md at c121f04)."""

CONVERSIONS = {
    "llava": (scorer.llava_convert, scorer.as_given),
    "raw": (scorer.as_given, scorer.as_given),
    "repaired": (scorer.repaired, scorer.repaired),
}
"""Protocol -> what is done to answers and to the truth."""

REPAIRS = (
    "answers and truth are compared without capitals, wide letters, outer spaces and outer punctuation",
    "validity, plausibility and distribution use the same form",
)


class GQA(AskedBenchmark):
    """The official metrics on answers as LLaVA converts them, as they are, or repaired."""

    data = SPEC.data
    max_new_tokens = 128

    def __init__(self, options: GQAOptions) -> None:
        self.options = options

    def style(self, protocol: str) -> str:
        """Whose prompts are asked."""
        return self.options.prompts or "llava"

    def system(self, protocol: str) -> str | None:
        """Janus is asked without a system prompt (VLMEvalKit#541)."""
        return "" if self.options.prompts == "janus" else None

    def questions(self, protocol: str, data: Path) -> list[Question]:
        """The balanced questions of the tier (all of them for consistency), in the order of the official file."""
        return [
            Question(name, PROMPT.format(question=asked.text), (data / "images" / f"{asked.image}.jpg",))
            for name, asked in read_questions(data / f"{self.options.tier}_questions.json").items()
            if asked.balanced or self.options.consistency
        ]

    def write(self, protocol: str, data: Path, answers: Mapping[str, str], folder: Path) -> tuple[Path, Path | None]:
        """``answers.jsonl`` as the model said it, ``{tier}_predictions.json`` for eval.py; the questions asked."""
        folder.mkdir(parents=True, exist_ok=True)
        tier = self.options.tier
        prompts = {question.id: question.text for question in self.questions(protocol, data)}
        write_answers(folder / "answers.jsonl", answers, prompts)
        convert = CONVERSIONS["raw" if protocol == "raw" else "llava"][0]
        write_predictions(folder / f"{tier}_predictions.json", {name: convert(text) for name, text in answers.items()})
        return folder / "answers.jsonl", write_part(data / f"{tier}_questions.json", folder, answers)

    def score(self, protocol: str, predictions: Path, annotations: Path | None) -> ScoreCard:
        """Score ``[{questionId, prediction}]`` or LLaVA's answers; choices are read from beside the questions."""
        if annotations is None:
            raise UserError("GQA is scored against its questions", "give --annotations testdev_balanced_questions.json")
        version = {one.name: one.version for one in SPEC.protocols}[protocol]
        card = ScoreCard("gqa", f"gqa@{protocol}", version, [])
        questions = read_questions(annotations)
        choices = read_choices(annotations)
        file = one_file(predictions, ("*predictions.json", "merge.jsonl", "answers*.jsonl"), "GQA's predictions")
        answers = read_answers(file, ("questionId", "question_id", "id"), ("prediction", "text", "answer"))
        scored = {name: asked for name, asked in questions.items() if asked.balanced or self.options.consistency}
        found = matched([(name, text) for name, text in answers if name not in questions or name in scored], scored)
        card.warnings += found.warnings(
            missing="eval.py stops with an exception",
            extra="as in eval.py",
            repeated="as in eval.py",
        )
        convert, convert_truth = CONVERSIONS[protocol]
        card.items = scorer.score_items(
            questions,
            found.by_id,
            choices,
            convert=convert,
            convert_truth=convert_truth,
            consistency=self.options.consistency,
        )
        if not card.items:
            raise UserError(f"{annotations} has no balanced question", "GQA scores those with isBalanced true only")
        card.scores = [score for score in scorer.scores(card.items) if score.total]
        card.warnings += _told(card.items, choices)
        if self.options.consistency:
            card.warnings += _unknown_followers(questions)
        card.details = scorer.official_tables(card.items, self.options.consistency)
        if protocol == "repaired":
            card.details["repaired"] = list(REPAIRS)
        card.records = [
            {
                "id": item.id,
                "question": questions[item.id].text,
                "answer": found.by_id.get(item.id),
                "truth": questions[item.id].answer,
                "correct": int(item.score or 0),
            }
            for item in card.items
        ]
        return card

    def aggregate(self, protocol: str, items: Sequence[ScoredItem]) -> Mapping[str, float]:
        """The official metrics."""
        return {score.name: score.value for score in scorer.scores(items)}


def _told(items: Sequence[ScoredItem], choices: Choices | None) -> list[str]:
    """What a reader must know of the metrics that need more than questions and answers."""
    found = []
    if choices is None:
        found.append("no choices lie beside the questions: validity and plausibility are left out (eval.py prints 0)")
    elif without := [item.id for item in items if item.id not in choices.valid]:
        found.append(
            f"{len(without)} questions have no choices and count as neither valid nor plausible (eval.py stops with a "
            f"KeyError): {named(without)}"
        )
    if math.isnan(scorer.distribution(items)):
        found.append("no question has a global group: the distribution is left out (eval.py divides by zero)")
    return found


def _unknown_followers(questions: Mapping[str, Asked]) -> list[str]:
    without = [name for name, asked in questions.items() if not set(asked.entailed) <= questions.keys()]
    if not without:
        return []
    return [
        f"{len(without)} questions entail some that the file lacks; consistency leaves those out (eval.py stops with a "
        f"KeyError): {named(without)}"
    ]


def build(options: GQAOptions, context: BuildContext) -> GQA:
    """The benchmark."""
    return GQA(options)
