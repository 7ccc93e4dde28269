"""Options of POPE."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class PopeOptions(BaseModel):
    """How the questions are put; scoring has no options but the protocol."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompts: Literal["janus", "llava", "vlmevalkit"] | None = Field(
        None,
        description="whose prompt: 'janus' and 'llava' ask for a single word or phrase (janus with an empty system "
        "prompt), 'vlmevalkit' for yes or no; none: the protocol's",
    )
