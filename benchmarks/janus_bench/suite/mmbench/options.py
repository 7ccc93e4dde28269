"""Options of MMBench."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class MmbenchOptions(BaseModel):
    """How the questions are put; scoring has no options but the protocol."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompts: Literal["janus", "llava", "vlmevalkit"] | None = Field(
        None,
        description="whose prompt: 'janus' (with an empty system prompt) and 'llava' ask for the option's letter, "
        "'vlmevalkit' to select the correct answer; none: the protocol's",
    )
