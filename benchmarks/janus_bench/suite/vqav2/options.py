"""Options of VQAv2."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class VQAv2Options(BaseModel):
    """What is asked, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompts: Literal["llava", "janus"] | None = Field(
        default=None, description="whose prompts; both put the same words; janus: with an empty system prompt"
    )
    split: Literal["val2014", "test-dev2015", "test2015"] = Field(
        default="val2014",
        description="which questions a run asks; the answers to the test splits lie on the EvalAI server only, so that "
        "a run writes the file to upload and gives no score",
    )
