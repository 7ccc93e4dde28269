"""The chat template: messages -> chunks of text and other modalities, each marked as supervised or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from janus_core.interfaces import Given, Message, Target


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of text, an input or a target, and whether the loss is taken on it."""

    content: str | Given | Target
    supervised: bool


class ChatTemplate(BaseModel):
    """Janus' template: ``role: content``, a blank line after a user's turn, EOS after the assistant's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user: str = Field(default="User", description="name of the user's role; Janus-Pro: <|User|>")
    assistant: str = Field(default="Assistant", description="name of the assistant's role; Janus-Pro: <|Assistant|>")
    system: str = Field(default="", description="system text of understanding samples, may be empty")

    def render(self, messages: Sequence[Message], *, system: str, eos: str) -> list[Chunk]:
        """The chunks of a sample; neighbouring texts of equal supervision are one chunk, tokenized together.

        An assistant message without parts ends the prompt with ``Assistant:``, ready for an answer.
        """
        chunks = [Chunk(f"{system}\n\n", False)] if system else []
        for message in messages:
            if message.role == "plain":
                chunks += [Chunk(part, True) for part in message.parts] + [Chunk(eos, True)]
            elif message.role == "system":
                chunks += [Chunk(part, False) for part in message.parts] + [Chunk("\n\n", False)]
            elif message.role == "user":
                chunks += [Chunk(f"{self.user}: ", False), *(Chunk(part, False) for part in message.parts)]
                chunks.append(Chunk("\n\n", False))
            else:
                chunks += [Chunk(f"{self.assistant}:", False), *self._answer(message, eos)]
        return _join(chunks)

    @staticmethod
    def _answer(message: Message, eos: str) -> list[Chunk]:
        if not message.parts:
            return []
        if isinstance(
            message.parts[-1], Target
        ):  # nothing after the codes is trained (Janus' loss is on the image alone)
            return [Chunk(part, True) for part in message.parts]
        return [Chunk(" ", True), *(Chunk(part, True) for part in message.parts), Chunk(eos, True)]


def _join(chunks: Sequence[Chunk]) -> list[Chunk]:
    joined: list[Chunk] = []
    for chunk in chunks:
        last = joined[-1] if joined else None
        if (
            last is not None
            and isinstance(chunk.content, str)
            and isinstance(last.content, str)
            and last.supervised == chunk.supervised
        ):
            joined[-1] = Chunk(last.content + chunk.content, chunk.supervised)
        else:
            joined.append(chunk)
    return joined
