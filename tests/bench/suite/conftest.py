"""What the tests of benchmarks share: the official inputs and outputs, and work without a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from janus_core.interfaces import Picture, Question, Sampling

FIXTURES = Path(__file__).parents[2] / "fixtures" / "evaluation"


class FakeWork:
    """Answers questions by a function and keeps what it was asked."""

    session = None
    seed = 0

    def __init__(
        self,
        protocol: str,
        data: Path | None,
        folder: Path,
        reply: Callable[[Question], Any],
        limit: int | None = None,
    ) -> None:
        self.protocol, self.data, self.folder, self.limit, self.reply = protocol, data, folder, limit, reply
        self.asked: list[Question] = []
        self.system: str | None = "not asked"
        folder.mkdir(parents=True, exist_ok=True)

    def answer(
        self, name: str, questions: Sequence[Question], *, max_new_tokens: int, system: str | None = None
    ) -> list[str]:
        self.system = system
        return self._all(questions)

    def losses(self, name: str, questions: Sequence[Question], *, system: str | None = None) -> list[list[float]]:
        self.system = system
        return self._all(questions)

    def draw(
        self, name: str, prompts: Sequence[str], *, images_per_prompt: int = 1, sampling: Sampling | None = None
    ) -> list[Picture]:
        raise AssertionError("nothing is drawn here")

    def progress(self, items: Iterable[Any], what: str) -> Iterable[Any]:
        return items

    def _all(self, questions: Sequence[Question]) -> list[Any]:
        self.asked = list(questions)
        return [self.reply(question) for question in questions]


@pytest.fixture
def fake_work() -> type[FakeWork]:
    """The class."""
    return FakeWork


@pytest.fixture
def evaluation() -> Path:
    """The folder of official inputs and outputs, one folder a benchmark."""
    return FIXTURES
