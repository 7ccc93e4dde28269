"""Options of GQA."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class GQAOptions(BaseModel):
    """What is asked, and what is computed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompts: Literal["llava", "janus"] | None = Field(
        default=None, description="whose prompts; both put the same words; janus: with an empty system prompt"
    )
    tier: str = Field(default="testdev_balanced", description="which questions a run asks: {tier}_questions.json")
    consistency: bool = Field(
        default=False,
        description="also measure how often questions that follow from a right answer are answered right; "
        "all questions of the file are asked then, not the balanced ones only",
    )
