"""The options that vision towers share. Imports pydantic, no torch."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from janus_open_clip.facts import (
    FAMILY_PREPROCESSING,
    Architecture,
    Family,
    Resize,
    Triple,
    architecture,
    preprocessing,
)
from janus_open_clip.preprocess import ImageTransform


class CustomSizes(BaseModel):
    """Sizes of a tower that no published checkpoint has, for tests and for training from scratch."""

    model_config = ConfigDict(extra="forbid")

    image_size: int = Field(gt=0, description="side of the input in pixels")
    patch_size: int = Field(gt=0, description="side of a patch in pixels; must divide image_size")
    width: int = Field(gt=0, description="width of the feature tokens; a multiple of heads")
    depth: int = Field(gt=0, description="number of transformer blocks")
    heads: int = Field(gt=0, description="number of attention heads")
    mlp_ratio: float = Field(4.0, gt=0, description="width of the MLP divided by the width of the tokens")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.image_size % self.patch_size:
            raise ValueError(
                f"image_size {self.image_size} is not a multiple of patch_size {self.patch_size}: "
                f"use {self.image_size // self.patch_size * self.patch_size or self.patch_size}"
            )
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        return self


class RotarySizes(CustomSizes):
    """Sizes of a tower with rotary positions."""

    @model_validator(mode="after")
    def _rotates(self) -> Self:
        head = self.width // self.heads
        if head % 4:
            raise ValueError(
                f"width {self.width} with {self.heads} heads gives {head} a head: "
                "rotary positions of rows and columns need a multiple of 4"
            )
        return self


class FeatureOptions(BaseModel):
    """Which weights of a tower, and which of its features; a component's own class names the defaults."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(description="the library's name of the model, without tag")
    tag: str = Field(description="checkpoint tag: names the published weights and the preprocessing they need")
    weights: str = Field(
        description="'none' (random), 'tag' (download the tag's weights), a file (.safetensors, .pt, .bin), "
        "'local-dir:FOLDER' or 'hf-hub:ORG/NAME'; relative paths start at the recipe's folder"
    )
    layer: int = Field(-1, le=-1, description="which block's output the features are: -1 the last, -2 the one before")
    norm: bool | None = Field(
        None, description="apply the final norm to that output; yes for layer -1, must be stated for other layers"
    )
    pool: int = Field(
        1, ge=1, description="average the tokens over pool x pool patches; 1 keeps every patch (2: 576 tokens -> 144)"
    )
    resize: Resize | None = Field(
        None,
        description="squash to the square, shortest side and centre crop, or pad as Janus does; "
        "empty takes the way of the tag",
    )
    custom: CustomSizes | None = Field(None, description="sizes of one's own in place of a named model")

    def apply_norm(self) -> bool:
        """Whether the final norm is applied."""
        return True if self.norm is None else self.norm

    def check_custom(self) -> None:
        """`ValueError` if custom sizes stand beside the name or the weights of a published model."""
        if self.custom is None:
            return
        for name in ("model", "tag"):
            value = getattr(self, name)
            if value != type(self).model_fields[name].default:
                raise ValueError(f"{name} {value!r} and custom exclude each other: remove one of the two")
        if self.weights == "tag":
            raise ValueError("weights 'tag' needs a named model: with custom use 'none' or a file")

    def check_features(self, depth: int, grid: int) -> None:
        """`ValueError` if a tower of ``depth`` blocks and ``grid`` patches a side has not these features."""
        if -self.layer > depth:
            raise ValueError(f"layer {self.layer} is not possible: the model has {depth} blocks")
        if self.layer != -1 and self.norm is None:
            raise ValueError(f"layer {self.layer} needs norm: true or norm: false (published models differ)")
        if grid % self.pool:
            raise ValueError(
                f"pool {self.pool} does not divide the {grid} x {grid} patches: "
                f"use one of {[p for p in range(1, grid + 1) if grid % p == 0]}"
            )


class TowerOptions(FeatureOptions):
    """A vision tower of open_clip; a plugin's own class names the family."""

    family: ClassVar[Family]

    mean: Triple | None = Field(
        None, description="per channel, subtracted from pixels in [0, 1]; empty takes the tag's (a checkpoint binds it)"
    )
    std: Triple | None = Field(None, description="per channel, divides the pixels; empty takes the tag's")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self.check_custom()
        if self.custom is None:
            architecture(self.model, self.family)
            preprocessing(self.model, self.tag)
        sizes = self.architecture()
        self.check_features(sizes.depth, sizes.grid)
        return self

    def architecture(self) -> Architecture:
        """The sizes that these options name."""
        if self.custom is None:
            return architecture(self.model, self.family)
        sizes = self.custom
        return Architecture(self.family, sizes.image_size, sizes.patch_size, sizes.width, sizes.depth)

    def transform(self) -> ImageTransform:
        """The preprocessing of the tag (of the family, for custom sizes), whatever the weights are."""
        sizes = self.architecture()
        facts = FAMILY_PREPROCESSING[self.family] if self.custom else preprocessing(self.model, self.tag)
        facts = replace(facts, mean=self.mean or facts.mean, std=self.std or facts.std)
        return ImageTransform.of(
            facts, size=sizes.image_size, num_tokens=sizes.num_tokens(self.pool), resize=self.resize
        )
