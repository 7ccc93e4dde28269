"""Options of the semantic tokenizer, of its losses and of the encoder that shares it. Imports no torch."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from janus_conv_vq.options import FORMAT, VQ16Options, VQLosses
from janus_open_clip.facts import Family
from janus_open_clip.options import CustomSizes, TowerOptions

TEACHER = "ViT-L-16-SigLIP-384", "webli"
"""Janus' teacher by open_clip's names (arXiv:2410.13848, appendix A: SigLIP-L/16-384)."""


class SemanticTokenizerOptions(VQ16Options):
    """Defaults are Janus' (arXiv:2410.13848, appendix A)."""

    semantic_layers: int = Field(default=12, ge=1, description="layers of the semantic decoder (Janus: 12)")
    semantic_heads: int = Field(default=12, ge=1, description="attention heads of the semantic decoder (Janus: 12)")
    semantic_width: int = Field(
        default=768, ge=4, description="width of the semantic tokens, a multiple of heads and of 4 (Janus: 768)"
    )
    format: Literal["auto", "semantic_tokenizer"] = Field(default="auto", description=FORMAT)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.semantic_width % self.semantic_heads:
            raise ValueError(
                f"semantic_width {self.semantic_width} is not a multiple of semantic_heads {self.semantic_heads}"
            )
        if self.semantic_width % 4:
            raise ValueError(f"semantic_width {self.semantic_width} is not a multiple of 4, as the positions need it")
        return self


class TeacherTower(TowerOptions):
    """The teacher as open_clip knows it; every SigLIP takes pixels in [-1, 1], as the tokenizer does."""

    family: ClassVar[Family] = "siglip"

    model: str = Field(default=TEACHER[0], description="open_clip's name of the model")
    tag: str = Field(default=TEACHER[1], description="checkpoint tag")


class TeacherOptions(BaseModel):
    """A frozen SigLIP whose features are the targets; the default is Janus' (SigLIP-L/16, 384 pixels)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(default=TEACHER[0], description="open_clip's name of a SigLIP or SigLIP 2")
    tag: str = Field(default=TEACHER[1], description="checkpoint tag, names the published weights")
    weights: str = Field(
        description="'tag' (download the tag's weights), a file, 'local-dir:FOLDER', 'hf-hub:ORG/NAME', or 'none' "
        "(random: teaches nothing, for tests); relative paths start at the recipe's folder"
    )
    custom: CustomSizes | None = Field(default=None, description="sizes of one's own in place of a named model")

    @model_validator(mode="after")
    def _exists(self) -> Self:
        self.tower()
        return self

    def tower(self) -> TeacherTower:
        """The options of its tower; `ValueError` if there is no such model."""
        return TeacherTower(**self.model_dump())


class SemanticLosses(VQLosses):
    """LlamaGen's losses of the pixels, and the likeness to a teacher's features."""

    semantic: float = Field(
        default=0.25,
        ge=0,
        description="weight of 1 - cosine similarity to the teacher's features (Janus, appendix A: 0.25)",
    )
    teacher: TeacherOptions | None = Field(
        default=None, description="the frozen encoder whose features are the targets; needed unless semantic is 0"
    )

    @model_validator(mode="after")
    def _taught(self) -> Self:
        if self.semantic and self.teacher is None:
            raise ValueError(
                f"semantic {self.semantic} needs a teacher: give teacher: {{weights: FILE}}, or set semantic to 0"
            )
        if self.teacher is not None and not self.semantic:
            raise ValueError("a teacher is of no use with semantic 0: remove one of the two")
        return self


class SemanticEncoderOptions(BaseModel):
    """Which semantic tokenizer serves as encoder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ref: str = Field(
        default="generation_tokenizer",
        min_length=1,
        description="name of the model's part whose codes are understood; the part is shared, not copied",
    )
