"""Options of MMMU."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class MMMUOptions(BaseModel):
    """What is asked, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompts: Literal["janus", "llava"] | None = Field(
        default=None,
        description="whose prompts: janus, the paper's, with all pictures; llava, the official llava1.5.yaml, with the "
        "first picture only; by default the protocol's",
    )
    split: Literal["validation", "dev", "test"] = Field(
        default="validation",
        description="which questions a run asks; the answers of test lie on the server only, so that a run writes the "
        "file to upload and gives no score",
    )
