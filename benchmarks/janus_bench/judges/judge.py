"""What a judge is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """One thing that a judge is asked.

    Attributes:
        name: tells the calls of one grading apart, also those with equal prompts (item, run, try); stable over runs.
        prompt: the user's message.
        temperature: of the sampling; 0 takes the most likely.
        max_tokens: the most that the reply may have.
        truth: the right answer, for judges that read no prompt.
        said: the answer to grade, likewise.
    """

    name: str
    prompt: str
    temperature: float
    max_tokens: int
    truth: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the judge says, and the model that says it."""

    text: str
    model: str


class Judge(Protocol):
    """Grades answers.

    Attributes:
        id: name and version; recorded with every score.
        stand_in: why scores of this judge must not be reported; empty otherwise.
    """

    id: str
    stand_in: str

    def ask(self, request: Request) -> Reply:
        """The reply to one request.

        Raises:
            UserError: there is none to be had; the reason is told.
        """
        ...
