"""What the benchmarks that ask questions share: ask, write the answers in the official format, score that file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from janus_core.errors import UserError
from janus_core.interfaces import BenchmarkWork, Question
from janus_core.scores import ScoreCard, ScoredItem


class AskedBenchmark(ABC):
    """A benchmark whose score is a pure function of a file of answers.

    Running scores what it wrote, so that a run and a later ``janus bench score`` of its files cannot differ.
    """

    data: str
    """What ``--data`` must hold, as its spec says."""
    max_new_tokens: int

    @abstractmethod
    def questions(self, protocol: str, data: Path) -> list[Question]:
        """Everything the protocol asks, in the official order."""

    @abstractmethod
    def style(self, protocol: str) -> str:
        """Whose prompts are asked: those that the user chose, else the protocol's."""

    @abstractmethod
    def write(self, protocol: str, data: Path, answers: Mapping[str, str], folder: Path) -> tuple[Path, Path | None]:
        """Write answers (by question id) in the official format; where the predictions and the annotations lie.

        With fewer answers than questions (``--limit``) the annotations are those of the questions that were asked.
        """

    @abstractmethod
    def score(self, protocol: str, predictions: Path, annotations: Path | None) -> ScoreCard:
        """Score predictions in the official format."""

    @abstractmethod
    def aggregate(self, protocol: str, items: Sequence[ScoredItem]) -> Mapping[str, float]:
        """The scores of any multiset of items."""

    def system(self, protocol: str) -> str | None:
        """The system prompt of the protocol; None: the model's own."""
        return None

    def run(self, work: BenchmarkWork) -> ScoreCard:
        """Ask, write, score."""
        if work.data is None:
            raise UserError("this benchmark needs its files", f"give --data DIR with {self.data}")
        questions = self.questions(work.protocol, work.data)[: work.limit]
        system = self.system(work.protocol)
        answers = work.answer("answers", questions, max_new_tokens=self.max_new_tokens, system=system)
        by_id = {question.id: answer for question, answer in zip(questions, answers, strict=True)}
        predictions, annotations = self.write(work.protocol, work.data, by_id, work.folder)
        card = self.score(work.protocol, predictions, annotations)
        card.settings |= {"prompts": self.style(work.protocol), "max_new_tokens": self.max_new_tokens, "system": system}
        return card
