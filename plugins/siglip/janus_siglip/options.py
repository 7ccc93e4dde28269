"""Options of the SigLIP encoder."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from janus_open_clip.facts import Family
from janus_open_clip.options import CustomSizes, TowerOptions

__all__ = ["CustomSizes", "SigLIPLosses", "SigLIPOptions"]


class SigLIPOptions(TowerOptions):
    """SigLIP and SigLIP 2 by open_clip's names; the default is Janus' encoder (Janus §3.1; 576 tokens, 1024 wide)."""

    family: ClassVar[Family] = "siglip"

    model: str = Field(
        "ViT-L-16-SigLIP-384",
        description="open_clip's name of the model, for example ViT-B-16-SigLIP, ViT-B-16-SigLIP2, "
        "ViT-SO400M-14-SigLIP-384",
    )
    tag: str = Field("webli", description="checkpoint tag: names the published weights and the preprocessing they need")


class SigLIPLosses(BaseModel):
    """How the encoder is trained alone, with the sigmoid loss (arXiv:2303.15343)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pooling: Literal["map", "mean"] = Field(
        default="map",
        description="one vector a picture: map, the tower's attention pool (SigLIP's way), or mean, of its tokens",
    )
