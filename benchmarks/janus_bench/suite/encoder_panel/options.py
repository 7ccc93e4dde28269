"""Options of the benchmark ``encoder_panel``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class EncoderPanelOptions(BaseModel):
    """What is probed and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    route: str | None = Field(default=None, description="understanding route; null: the first that takes images")
    features: Literal["encoder", "adapter"] = Field(
        default="encoder", description="probe what the encoder gives, or what its adapter makes of it"
    )
    neighbours: int = Field(default=20, ge=1, description="k of the nearest neighbours (20: DINO)")
    temperature: float = Field(default=0.07, gt=0, description="of the neighbours' votes (0.07: DINO)")
    l2: float = Field(
        default=1e-3, ge=0, description="half of it times the squared weights is added to the probe's mean loss"
    )
