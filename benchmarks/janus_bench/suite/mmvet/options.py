"""Options of MM-Vet."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from janus_bench.judges.options import JudgeOptions


class MMVetOptions(BaseModel):
    """What is asked, and who grades."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompts: Literal["janus", "llava"] | None = Field(
        default=None,
        description="whose prompts: both put the bare question; janus, the paper's, with a system prompt that asks for "
        "step by step thinking; by default the protocol's",
    )
    judge: JudgeOptions = Field(
        default=JudgeOptions(), description="who grades answers; not needed for a file of grades (judge.type=…)"
    )
    runs: int | None = Field(
        default=None,
        ge=1,
        description="how often each answer is graded (the paper: 5); by default once, or as a file of grades has it",
    )
    out: str | None = Field(
        default=None,
        description="folder for the grades and tables in the official format and for kept replies; by default that of "
        "the answers",
    )
