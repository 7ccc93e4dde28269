"""Options of the SigLIP encoder."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from janus_open_clip.facts import Family
from janus_open_clip.options import CustomSizes, TowerOptions

__all__ = ["CustomSizes", "SigLIPOptions"]


class SigLIPOptions(TowerOptions):
    """SigLIP and SigLIP 2 by open_clip's names; the default is Janus' encoder (Janus §3.1; 576 tokens, 1024 wide)."""

    family: ClassVar[Family] = "siglip"

    model: str = Field(
        "ViT-L-16-SigLIP-384",
        description="open_clip's name of the model, for example ViT-B-16-SigLIP, ViT-B-16-SigLIP2, "
        "ViT-SO400M-14-SigLIP-384",
    )
    tag: str = Field("webli", description="checkpoint tag: names the published weights and the preprocessing they need")
