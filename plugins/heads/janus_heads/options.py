"""Options of the generation heads."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class CategoricalOptions(BaseModel):
    """Options of ``categorical``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    inner_width: int | None = Field(
        default=None,
        gt=0,
        description="width between the two linear layers; null: the language model's width, as in Janus",
    )
