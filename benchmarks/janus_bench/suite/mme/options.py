"""Options of MME."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class MmeOptions(BaseModel):
    """How the questions are put; scoring has no options but the protocol."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompts: Literal["janus", "llava", "official"] | None = Field(
        None,
        description="whose prompt: 'official' is the question with 'Please answer yes or no.'; 'janus' adds a line to "
        "it that asks for a single word or phrase, with an empty system prompt; 'llava' has that line in place of the "
        "ending; none: the protocol's",
    )
