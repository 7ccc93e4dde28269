"""Options of the EVA-CLIP encoder."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from janus_open_clip.facts import Family
from janus_open_clip.options import RotarySizes, TowerOptions


class EvaSizes(RotarySizes):
    """Sizes of an EVA-02 tower that no published checkpoint has."""

    mlp_ratio: float = Field(
        8 / 3, gt=0, description="width of the SwiGLU MLP divided by the width of the tokens; EVA-02 has 8/3"
    )


class EvaClipOptions(TowerOptions):
    """EVA-CLIP by open_clip's names; the default is EVA02-L-14-336 (576 tokens, 1024 wide)."""

    family: ClassVar[Family] = "eva"

    model: str = Field(
        "EVA02-L-14-336", description="open_clip's name of the model, for example EVA02-B-16, EVA02-L-14"
    )
    tag: str = Field(
        "merged2b_s6b_b61k",
        description="checkpoint tag: names the published weights and the preprocessing they need",
    )
    custom: EvaSizes | None = Field(None, description="sizes of one's own in place of a named model")
