"""Options of the understanding encoder ``siglip2``. Imports no torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Model = Literal["naflexvit_base_patch16_siglip", "naflexvit_so400m_patch16_siglip"]

WIDTHS: dict[str, int] = {"naflexvit_base_patch16_siglip": 768, "naflexvit_so400m_patch16_siglip": 1152}
"""timm 1.0.31: both have patches of 16 pixels."""


class NaFlexSizes(BaseModel):
    """Sizes of a tower that no published checkpoint has, for tests and for training from scratch."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    patch_size: int = Field(gt=0, description="side of a patch in pixels")
    width: int = Field(gt=0, description="width of the feature tokens; a multiple of heads")
    depth: int = Field(gt=0, description="number of transformer blocks")
    heads: int = Field(gt=0, description="number of attention heads")
    positions: int = Field(16, gt=0, description="side of the grid of learned positions, which is interpolated")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        return self


class Siglip2Options(BaseModel):
    """SigLIP 2 NaFlex (Tschannen et al. 2502.14786): any aspect ratio, up to a number of patches."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Model = Field("naflexvit_so400m_patch16_siglip", description="timm's name of the model")
    tag: Literal["v2_webli"] = Field("v2_webli", description="checkpoint tag")
    weights: str = Field(
        min_length=1,
        description="'none' (random), 'tag' (download the tag's weights), a file (.safetensors, .pt, .bin), "
        "'local-dir:FOLDER' or 'hf-hub:ORG/NAME'; relative paths start at the recipe's folder",
    )
    max_patches: int = Field(
        256,
        ge=1,
        description="most patches of a picture; it is scaled, up or down, to come as near as its shape allows",
    )
    custom: NaFlexSizes | None = Field(None, description="sizes of one's own in place of a named model")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.custom is not None and self.weights == "tag":
            raise ValueError("weights 'tag' needs a named model: with custom use 'none' or a file")
        return self

    @property
    def patch_size(self) -> int:
        """Side of a patch in pixels."""
        return self.custom.patch_size if self.custom else 16

    @property
    def width(self) -> int:
        """Width of the feature tokens."""
        return self.custom.width if self.custom else WIDTHS[self.model]
