"""VQAv2: asks the questions, writes what the official scorer and EvalAI take, scores it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from janus_bench.suite.asked import AskedBenchmark
from janus_bench.suite.predicted import match as matched
from janus_bench.suite.predicted import one_file, read_answers
from janus_bench.suite.vqav2 import score as scorer
from janus_bench.suite.vqav2.files import read_annotations, read_questions, write_annotations, write_results
from janus_bench.suite.vqav2.options import VQAv2Options
from janus_bench.suite.vqav2.spec import SPEC
from janus_core.errors import UserError
from janus_core.interfaces import BuildContext, Question
from janus_core.scores import ScoreCard, ScoredItem

PROMPT = "{question}\nAnswer the question using a single word or phrase."
"""LLaVA's prompt for short answers (docs/Evaluation.md at c121f04)."""

REPAIRS = (
    "predictions and people's answers are normalised even where the ten people agree",
    "every lone full stop is removed, not the first 32",
    "a blank prediction is wrong, also where the people's answers lose their only word",
)


class VQAv2(AskedBenchmark):
    """The official accuracy on raw answers, on answers normalised as LLaVA does, or repaired."""

    data = SPEC.data
    max_new_tokens = 128

    def __init__(self, options: VQAv2Options) -> None:
        self.options = options

    def style(self, protocol: str) -> str:
        """Whose prompts are asked."""
        return self.options.prompts or "llava"

    def system(self, protocol: str) -> str | None:
        """Janus is asked without a system prompt (VLMEvalKit#541)."""
        return "" if self.options.prompts == "janus" else None

    def questions(self, protocol: str, data: Path) -> list[Question]:
        """The questions of the split, in the order of the official file."""
        split = self.options.split
        source = data / f"v2_OpenEnded_mscoco_{split}_questions.json"
        folder = "test2015" if split.startswith("test") else split
        return [
            Question(
                asked.question_id,
                PROMPT.format(question=asked.text),
                (data / folder / f"COCO_{folder}_{asked.image_id:012d}.jpg",),
            )
            for asked in read_questions(source)[1]
        ]

    def write(self, protocol: str, data: Path, answers: Mapping[str, str], folder: Path) -> tuple[Path, Path | None]:
        """``results.json`` as the model said it; ``evalai.json`` as the protocol would upload it; annotations."""
        folder.mkdir(parents=True, exist_ok=True)
        results = folder / "results.json"
        write_results(results, answers.items())
        normal = scorer.as_given if protocol == "raw" else scorer.llava_normalise
        write_results(folder / "evalai.json", ((name, normal(text)) for name, text in answers.items()))
        if self.options.split != "val2014":
            return results, None
        annotations = folder / "annotations.json"
        write_annotations(data / "v2_mscoco_val2014_annotations.json", annotations, answers)
        return results, annotations

    def score(self, protocol: str, predictions: Path, annotations: Path | None) -> ScoreCard:
        """Score ``[{question_id, answer}]`` or LLaVA's answers; see the protocols for what is done to them."""
        version = {one.name: one.version for one in SPEC.protocols}[protocol]
        card = ScoreCard("vqav2", f"vqav2@{protocol}", version, [])
        results = one_file(predictions, ("results*.json", "*results*.json", "merge.jsonl"), "VQAv2 results")
        answers = read_answers(results, ("question_id",), ("answer", "text"))
        if annotations is None:
            return self._hidden(card, results)
        truths = read_annotations(annotations)
        found = matched(answers, {truth.question_id: None for truth in truths})
        llava = protocol == "llava-normalised"
        card.warnings += found.warnings(
            missing="LLaVA's converter puts in a blank answer, which is scored"
            if llava
            else "the official code refuses the file",
            extra="LLaVA's converter drops them" if llava else "the official code refuses the file",
            repeated="the official code does so without a word",
        )
        given = found.by_id
        if llava and not _already_normalised(given, card.warnings):
            given = {name: scorer.llava_normalise(text) for name, text in given.items()}
        judge = scorer.judge_repaired if protocol == "repaired" else scorer.judge_official
        card.items = scorer.score_items(truths, given, judge, "" if llava else None)
        card.scores = [score for score in scorer.scores(card.items) if score.total]
        card.details = scorer.official_tables(card.items)
        if protocol == "repaired":
            card.details["repaired"] = list(REPAIRS)
        said = dict(answers)
        card.records = [
            {
                "id": truth.question_id,
                "answer": said.get(truth.question_id),
                "truth": [text for text, _ in truth.answers],
                "accuracy": item.score,
            }
            for truth, item in zip(truths, card.items, strict=True)
        ]
        return card

    def aggregate(self, protocol: str, items: Sequence[ScoredItem]) -> Mapping[str, float]:
        """Accuracy of all questions, and of each answer type."""
        return scorer.aggregate(items)

    def _hidden(self, card: ScoreCard, results: Path) -> ScoreCard:
        if self.options.split == "val2014":
            raise UserError(
                "VQAv2 is scored against the people's answers", "give --annotations v2_mscoco_val2014_annotations.json"
            )
        upload = results.parent / "evalai.json"
        card.warnings.append(
            f"the answers of {self.options.split} are not public: upload {upload} to EvalAI for the score"
        )
        return card


def _already_normalised(given: Mapping[str, str], warnings: list[str]) -> bool:
    """Whether normalising again would only break words that LLaVA's processor has made; said in the warnings.

    It is no projection: ``whats`` becomes ``what's``, and that ``what 's``.
    """
    again = [name for name, text in given.items() if scorer.llava_normalise(text) != text]
    if not again or not all(scorer.looks_normalised(text) for text in given.values()):
        return False
    warnings.append("the answers are already normalised as LLaVA does, and are not normalised a second time")
    return True


def build(options: VQAv2Options, context: BuildContext) -> VQAv2:
    """The benchmark."""
    return VQAv2(options)
