"""Options of the understanding encoder ``tokenizer_as_encoder``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class TokenizerAsEncoderOptions(BaseModel):
    """Which generation tokenizer serves as encoder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ref: str = Field(
        default="generation_tokenizer",
        min_length=1,
        description="name of the model's part whose codes are understood; the part is shared, not copied",
    )
