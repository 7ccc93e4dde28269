"""Options of SEED-Bench."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class SeedOptions(BaseModel):
    """How the questions are put; scoring has no options but the protocol."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompts: Literal["janus", "llava", "question"] | None = Field(
        None,
        description="whose prompt: 'janus' (a blank line before the instruction, an empty system prompt) and 'llava' "
        "list the options and ask for a letter, 'question' is the question alone; none: the protocol's",
    )
