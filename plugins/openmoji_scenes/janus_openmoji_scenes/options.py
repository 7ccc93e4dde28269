"""Options of the scenes and of their benchmark."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from janus_openmoji_scenes.language import KINDS, Kind


class SceneOptions(BaseModel):
    """Which scenes, and what is made of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: Literal["understanding", "text", "generation"] = Field(
        description="understanding: what to say of a picture; text: of a caption; generation: captions to draw"
    )
    ask: Literal["questions", "caption", "both"] = Field(
        default="questions",
        description="for understanding and text: questions, the whole caption, or both in one sample",
    )
    say: Literal["caption", "facts"] = Field(
        default="caption",
        description="for generation: the caption, or every true statement, one a line (to pretrain an encoder on)",
    )
    kinds: list[Kind] = Field(
        default=list(KINDS),
        min_length=1,
        description="kinds of questions that may be asked; one that stands twice may be asked twice",
    )
    questions_per_scene: int = Field(
        default=1, ge=1, le=12, description="questions in one conversation, at most as many as kinds"
    )
    split: Literal["train", "test"] = Field(
        default="train", description="test scenes hold a combination that no training scene has"
    )
    counts: list[int] = Field(default=[1, 2, 3], min_length=1, description="how many objects a scene may have, 1 to 3")
    length: int = Field(
        default=20000, ge=1, description="how many scenes; scene i is a function of seed, split and i alone"
    )
    seed: int = Field(default=0, ge=0, description="another seed gives other scenes, not another split")
    route: str = Field(default="image", description="understanding route that the pictures go through")


class BenchmarkOptions(BaseModel):
    """How much is measured."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scenes: int = Field(default=200, ge=1, description="held-out scenes, for answers and for drawings")
    seed: int = Field(default=1, ge=0, description="seed of the scenes")
    temperature: float = Field(default=0.0, ge=0, description="sampling temperature of the drawings, 0 for greedy")
    guidance: float = Field(default=1.0, ge=0, description="guidance of the drawings")
