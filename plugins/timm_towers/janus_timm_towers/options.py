"""Options of the understanding encoders ``clip``, ``dinov2`` and ``dinov3``. Imports no torch."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from janus_open_clip.facts import Preprocessing, Resize
from janus_open_clip.options import CustomSizes
from janus_open_clip.preprocess import ImageTransform
from janus_timm_towers.facts import CLIP, IMAGENET, Kind, Tower, preprocessing, tower


class TimmOptions(BaseModel):
    """A tower of timm; each component's own class names the defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: ClassVar[Kind]
    prefix: ClassVar[int]
    """Class and register tokens of custom sizes."""
    plain: ClassVar[Preprocessing]
    """Preprocessing of custom sizes."""

    model: str = Field(description="timm's name of the model, without tag")
    tag: str = Field(description="checkpoint tag: names the published weights and the preprocessing they need")
    weights: str = Field(
        description="'none' (random), 'tag' (download the tag's weights), a file (.safetensors, .pt, .bin), "
        "'local-dir:FOLDER' or 'hf-hub:ORG/NAME'; relative paths start at the recipe's folder"
    )
    image_size: int | None = Field(
        None, gt=0, description="side of the input in pixels; null: the model's own. Positions are interpolated"
    )
    layer: int = Field(-1, le=-1, description="which block's output the features are: -1 the last, -2 the one before")
    norm: bool | None = Field(
        None, description="apply the final norm to that output; yes for layer -1, must be stated for other layers"
    )
    pool: int = Field(1, ge=1, description="average the tokens over pool x pool patches; 1 keeps every patch")
    resize: Resize | None = Field(
        None,
        description="squash to the square, shortest side and centre crop, or pad as Janus does; "
        "null takes the way of the tag",
    )
    custom: CustomSizes | None = Field(None, description="sizes of one's own in place of a named model")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.custom is not None:
            for name in ("model", "tag"):
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise ValueError(
                        f"{name} {getattr(self, name)!r} and custom exclude each other: remove one of the two"
                    )
            if self.weights == "tag":
                raise ValueError("weights 'tag' needs a named model: with custom use 'none' or a file")
        else:
            tower(self.model, self.kind)
            preprocessing(self.model, self.tag)
        sizes = self.tower()
        if self.side % sizes.patch_size:
            below = max(self.side // sizes.patch_size, 1) * sizes.patch_size
            raise ValueError(
                f"image_size {self.side} is not a multiple of the patch's {sizes.patch_size} pixels: "
                f"use {below} or {below + sizes.patch_size}"
            )
        if -self.layer > sizes.depth:
            raise ValueError(f"layer {self.layer} is not possible: the model has {sizes.depth} blocks")
        if self.layer != -1 and self.norm is None:
            raise ValueError(f"layer {self.layer} needs norm: true or norm: false (published models differ)")
        grid = self.side // sizes.patch_size
        if grid % self.pool:
            raise ValueError(
                f"pool {self.pool} does not divide the {grid} x {grid} patches: "
                f"use one of {[p for p in range(1, grid + 1) if grid % p == 0]}"
            )
        return self

    def tower(self) -> Tower:
        """The sizes that these options name, at the native input."""
        if self.custom is None:
            return tower(self.model, self.kind)
        sizes = self.custom
        return Tower(self.kind, sizes.image_size, sizes.patch_size, sizes.width, sizes.depth, self.prefix)

    @property
    def side(self) -> int:
        """Side of the input in pixels."""
        return self.image_size or self.tower().image_size

    def apply_norm(self) -> bool:
        """Whether the final norm is applied."""
        return True if self.norm is None else self.norm

    def transform(self) -> ImageTransform:
        """The preprocessing of the tag (of the family, for custom sizes), whatever the weights are."""
        facts = self.plain if self.custom else preprocessing(self.model, self.tag)
        tokens = (self.side // self.tower().patch_size // self.pool) ** 2
        return ImageTransform.of(replace(facts), size=self.side, num_tokens=tokens, resize=self.resize)


class ClipOptions(TimmOptions):
    """The vision towers of OpenAI's and LAION's CLIP; the default is OpenAI's ViT-L/14 at 336 (LLaVA-1.5's)."""

    kind: ClassVar[Kind] = "clip"
    prefix: ClassVar[int] = 1
    plain: ClassVar[Preprocessing] = CLIP

    model: str = Field("vit_large_patch14_clip_quickgelu_336", description="timm's name of the model, without tag")
    tag: str = Field(
        "openai", description="checkpoint tag: names the published weights and the preprocessing they need"
    )


class Dinov2Options(TimmOptions):
    """DINOv2; the default is ViT-L/14 with registers."""

    kind: ClassVar[Kind] = "dinov2"
    prefix: ClassVar[int] = 5
    plain: ClassVar[Preprocessing] = IMAGENET

    model: str = Field("vit_large_patch14_reg4_dinov2", description="timm's name of the model, without tag")
    tag: str = Field(
        "lvd142m", description="checkpoint tag: names the published weights and the preprocessing they need"
    )


class Dinov3Options(TimmOptions):
    """DINOv3; the default is ViT-L/16."""

    kind: ClassVar[Kind] = "dinov3"
    prefix: ClassVar[int] = 5
    plain: ClassVar[Preprocessing] = IMAGENET

    model: str = Field("vit_large_patch16_dinov3", description="timm's name of the model, without tag")
    tag: str = Field(
        "lvd1689m", description="checkpoint tag: names the published weights and the preprocessing they need"
    )

    @model_validator(mode="after")
    def _rotates(self) -> Self:
        if self.custom is not None and self.custom.width // self.custom.heads % 4:
            raise ValueError(
                f"custom: width {self.custom.width} with {self.custom.heads} heads: rotary positions of rows and "
                "columns need a multiple of 4 a head"
            )
        return self
