"""SEED-Bench: asks for letters or ranks options, writes answers, scores files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from janus_bench.suite.asked import AskedBenchmark
from janus_bench.suite.predicted import one_file
from janus_bench.suite.seed.answers import ANSWERS, read_letters, read_ranked
from janus_bench.suite.seed.files import (
    LETTERS,
    Item,
    picture,
    read_questions,
    write_letters,
    write_losses,
    write_questions,
)
from janus_bench.suite.seed.options import SeedOptions
from janus_bench.suite.seed.score import aggregate, judge, letter_details, likelihood_details, parts
from janus_bench.suite.seed.spec import SPEC
from janus_bench.suite.tables import TABLES
from janus_core.errors import UserError
from janus_core.interfaces import BenchmarkWork, BuildContext, Question
from janus_core.scores import ScoreCard, ScoredItem, share

STYLE = {protocol.name: protocol.prompts for protocol in SPEC.protocols}
LETTER = "Answer with the option's letter from the given choices directly."


class Seed(AskedBenchmark):
    """See ``spec``."""

    data = SPEC.data
    max_new_tokens = 128

    def __init__(self, options: SeedOptions) -> None:
        self._prompts = options.prompts

    def style(self, protocol: str) -> str:
        """Whose prompts are asked."""
        return self._prompts or STYLE[protocol]

    def system(self, protocol: str) -> str | None:
        return "" if self.style(protocol) == "janus" else None

    def questions(self, protocol: str, data: Path) -> list[Question]:
        return [
            Question(
                item.id, self._prompt(protocol, item), (picture(data, item),), item.choices if _ranks(protocol) else ()
            )
            for item in _asked(protocol, read_questions(data))
        ]

    def _prompt(self, protocol: str, item: Item) -> str:
        style = self.style(protocol)
        if style == "question":
            return item.question
        options = "".join(f"{letter}. {text}\n" for letter, text in zip(LETTERS, item.choices, strict=True))
        blank = "\n" if style == "janus" else ""
        return f"{item.question}\n{options}{blank}{LETTER}"

    def run(self, work: BenchmarkWork) -> ScoreCard:
        if not _ranks(work.protocol):
            return super().run(work)
        if work.data is None:
            raise UserError("this benchmark needs its files", f"give --data DIR with {self.data}")
        questions = self.questions(work.protocol, work.data)[: work.limit]
        system = self.system(work.protocol)
        losses = work.losses("losses", questions, system=system)
        ranked = {question.id: values for question, values in zip(questions, losses, strict=True)}
        items = [item for item in read_questions(work.data) if item.id in ranked]
        annotations = write_questions(work.folder, items)
        predictions = write_losses(work.folder, [(item, ranked[item.id]) for item in items])
        card = self.score(work.protocol, predictions, annotations)
        card.settings |= {
            "prompts": self.style(work.protocol),
            "system": system,
            "loss": "mean of the option's tokens, nats",
        }
        return card

    def write(self, protocol: str, data: Path, answers: Mapping[str, str], folder: Path) -> tuple[Path, Path | None]:
        items = [item for item in read_questions(data) if item.id in answers]
        asked = [(item, self._prompt(protocol, item), answers[item.id]) for item in items]
        return write_letters(folder, asked, "janus"), write_questions(folder, items)

    def score(self, protocol: str, predictions: Path, annotations: Path | None) -> ScoreCard:
        if annotations is None:
            annotations = one_file(predictions, ANSWERS, "a file of answers")
            if annotations.suffix not in TABLES:
                raise UserError(f"{annotations} does not hold the questions", "give --annotations: SEED-Bench.json")
        all_items = read_questions(annotations)
        asked = _asked(protocol, all_items)
        if not asked:
            raise UserError(f"{annotations} has no question about a picture", "score all: seed@letter")
        ties: list[str] = []
        if _ranks(protocol):
            answers, warnings, ties = read_ranked(predictions, all_items, asked)
        else:
            answers, warnings = read_letters(predictions, all_items, asked)
        items = judge(asked, answers, matched=protocol.endswith("-repaired"))
        card = ScoreCard("seed", f"seed@{protocol}", 1, [], items)
        for name, scores in parts(protocol, items).items():
            chance = {"chance": 1 / len(LETTERS)} if name == "accuracy" else {}
            card.scores.append(share(name, round(sum(scores)), len(scores), chance, task="understanding"))
        card.records = [_record(item, answers.get(item.id)) for item in asked]
        ranked = _ranks(protocol)
        card.details = likelihood_details(items, ties) if ranked else letter_details(items)
        card.warnings = [*warnings, *(_ranking_doubts(ties) if ranked else _letter_crashes(protocol, items))]
        return card

    def aggregate(self, protocol: str, items: Sequence[ScoredItem]) -> Mapping[str, float]:
        return aggregate(protocol, items)


def build(options: SeedOptions, context: BuildContext) -> Seed:
    """The factory."""
    return Seed(options)


def _ranks(protocol: str) -> bool:
    return protocol.startswith("likelihood")


def _asked(protocol: str, items: Sequence[Item]) -> list[Item]:
    return [item for item in items if "-img" not in protocol or item.source == "image"]


def _letter_crashes(protocol: str, items: Sequence[ScoredItem]) -> list[str]:
    if protocol.endswith("-repaired"):
        return []
    kinds: dict[str, list[ScoredItem]] = {}
    for item in items:
        kinds.setdefault(item.facts["type"], []).append(item)
    found = []
    wrong = [name for name, part in kinds.items() if not any(i.score or i.status == "missing" for i in part)]
    if wrong:
        found.append(f"no answer is right in {', '.join(wrong)}: 0 %; LLaVA's code stops there")
    sources = {item.facts["source"] for item in items}
    if "-img" not in protocol and len(sources) < 2:
        found.append(f"all questions are about {sources.pop()}s: LLaVA's code stops when it comes to the others")
    return found


def _ranking_doubts(ties: Sequence[str]) -> list[str]:
    found = ["the official eval.py stops before it has counted (KeyError 'gt'); this is the share of its letters"]
    if ties:
        found.append(f"{len(ties)} questions have several options of the smallest loss; the first of them is taken")
    return found


def _record(item: Item, answer: str | None) -> dict[str, object]:
    return {"id": item.id, "question": item.question, "options": list(item.choices), "truth": item.answer,
            "answer": answer}  # fmt: skip
