"""Options of the understanding encoder ``efficientnet_lite``. Imports no torch."""

from __future__ import annotations

import math
import re
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from janus_open_clip.facts import Interpolation, Preprocessing, Resize
from janus_open_clip.preprocess import ImageTransform

HALF = (0.5, 0.5, 0.5)
"""Mean and std of timm's ``tf_efficientnet_lite*``."""

STRIDES = (1, 2, 2, 2, 1, 2, 1)
"""Of the stages of each model, after the stem's 2 (arXiv:1905.11946, table 1)."""

TRAINED: dict[str, tuple[int, Interpolation]] = {
    "lite0": (224, "bicubic"),
    "lite1": (240, "bicubic"),
    "lite2": (260, "bicubic"),
    "lite3": (300, "bilinear"),
    "lite4": (380, "bilinear"),
}
"""Input side and kernel that each was trained with (timm 1.0.31, default_cfgs)."""


class CustomBlocks(BaseModel):
    """A network of one's own, of the same kinds of blocks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    blocks: list[str] = Field(min_length=1, description="stages in timm's notation, such as ir_r2_k5_s2_e6_c40")
    width: int = Field(gt=0, description="channels of the last feature map")

    @property
    def strides(self) -> tuple[int, ...]:
        """Of the stages."""
        return tuple(int(found[1]) if (found := re.search(r"_s(\d+)", block)) else 1 for block in self.blocks)


class EfficientNetLiteOptions(BaseModel):
    """Which of the five, its weights and its input."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Literal["lite0", "lite1", "lite2", "lite3", "lite4"] = Field("lite0", description="size of the network")
    weights: str = Field(
        description="'none' (random), a file (.safetensors, .pth, .pt), or 'package:NAME/FILE' inside an installed "
        "package; relative paths start at the recipe's folder"
    )
    image_size: int | None = Field(
        None, ge=32, description="side of the input in pixels; null: the one that it was trained at"
    )
    layer: int = Field(
        -1,
        le=-1,
        description="whose output the tokens are: -1 the last feature map, -2 the last stage, -3 the one before it … "
        "Earlier ones see finer and less of what things are; what follows is not kept",
    )
    pool: int = Field(1, ge=1, description="average the tokens over pool x pool neighbours; 1 keeps every token")
    resize: Resize = Field(
        "squash", description="squash to the square, shortest side and centre crop, or pad as Janus does"
    )
    custom: CustomBlocks | None = Field(None, description="a network of one's own in place of the named model")

    @property
    def side(self) -> int:
        """Side of the input in pixels."""
        return self.image_size or TRAINED[self.model][0]

    @property
    def grid(self) -> int:
        """Tokens along a side before pooling; a rest of the picture counts, as the convolutions pad."""
        return -(-self.side // (2 * math.prod(self.strides[: self.stages])))

    @property
    def strides(self) -> tuple[int, ...]:
        """Of all stages."""
        return self.custom.strides if self.custom else STRIDES

    @property
    def stages(self) -> int:
        """How many stages are computed."""
        return len(self.strides) + min(self.layer + 2, 0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.stages < 1:
            count = len(self.strides)
            raise ValueError(f"layer {self.layer} is not possible with {count} stages: use -1 to -{count + 1}")
        if self.grid % self.pool:
            raise ValueError(
                f"pool {self.pool} does not divide the {self.grid} x {self.grid} tokens: "
                f"use one of {[p for p in range(1, self.grid + 1) if self.grid % p == 0]}"
            )
        return self

    def transform(self) -> ImageTransform:
        """The preprocessing, whatever the weights are."""
        tokens = (self.grid // self.pool) ** 2
        facts = Preprocessing(HALF, HALF, TRAINED[self.model][1], self.resize)
        return ImageTransform.of(facts, size=self.side, num_tokens=tokens)
