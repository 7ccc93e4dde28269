"""Options of the EVA-CLIP encoder."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from janus_open_clip.facts import Family
from janus_open_clip.options import CustomSizes, TowerOptions


class EvaSizes(CustomSizes):
    """Sizes of an EVA-02 tower that no published checkpoint has."""

    mlp_ratio: float = Field(
        8 / 3, gt=0, description="width of the SwiGLU MLP divided by the width of the tokens; EVA-02 has 8/3"
    )

    @model_validator(mode="after")
    def _rotates(self) -> Self:
        head = self.width // self.heads
        if head % 4:
            raise ValueError(
                f"width {self.width} with {self.heads} heads gives {head} a head: "
                "rotary positions of rows and columns need a multiple of 4"
            )
        return self


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
