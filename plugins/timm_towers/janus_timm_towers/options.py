"""Options of the understanding encoders ``clip``, ``dinov2`` and ``dinov3``. Imports no torch."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from janus_open_clip.facts import CLIP, Preprocessing
from janus_open_clip.options import FeatureOptions, RotarySizes
from janus_open_clip.preprocess import ImageTransform
from janus_timm_towers.facts import IMAGENET, Kind, Tower, preprocessing, tower


class TimmOptions(FeatureOptions):
    """A tower of timm; each component's own class names the defaults."""

    kind: ClassVar[Kind]
    prefix: ClassVar[int]
    """Class and register tokens of custom sizes."""
    plain: ClassVar[Preprocessing]
    """Preprocessing of custom sizes."""

    image_size: int | None = Field(
        None, gt=0, description="side of the input in pixels; empty: the model's own. Positions are interpolated"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self.check_custom()
        sizes = self.tower()
        if self.custom is None:
            preprocessing(self.model, self.tag)
        if self.side % sizes.patch_size:
            below = max(self.side // sizes.patch_size, 1) * sizes.patch_size
            raise ValueError(
                f"image_size {self.side} is not a multiple of the patch's {sizes.patch_size} pixels: "
                f"use {below} or {below + sizes.patch_size}"
            )
        self.check_features(sizes.depth, self.side // sizes.patch_size)
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

    def transform(self) -> ImageTransform:
        """The preprocessing of the tag (of the family, for custom sizes), whatever the weights are."""
        facts = self.plain if self.custom else preprocessing(self.model, self.tag)
        tokens = (self.side // self.tower().patch_size // self.pool) ** 2
        return ImageTransform.of(facts, size=self.side, num_tokens=tokens, resize=self.resize)


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
    custom: RotarySizes | None = Field(None, description="sizes of one's own in place of a named model")
