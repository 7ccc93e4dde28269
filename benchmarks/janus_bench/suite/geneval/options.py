"""Options of GenEval."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class GenEvalOptions(BaseModel):
    """How pictures are drawn and judged; the defaults are the official script's and Janus' drawing script's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    images_per_prompt: int = Field(4, ge=1, description="pictures a prompt, drawn and expected")
    temperature: float = Field(1.0, ge=0, description="of drawing")
    guidance: float = Field(5.0, ge=0, description="weight of classifier-free guidance, 1 is off")
    top_k: int = Field(0, ge=0, description="draw from the k most likely codes, 0: from all")
    top_p: float = Field(1.0, gt=0, le=1, description="draw from the codes that together reach this probability")
    detector: Literal["mask2former", "stand-in"] | None = Field(
        None, description="what finds objects, where no detections are given; 'stand-in' knows plain shapes, for tests"
    )
    detector_weights: Path | None = Field(
        None, description="folder of a Mask2Former for instances on COCO in the form of transformers"
    )
    clip_weights: Path | None = Field(None, description="file of CLIP's weights for colours, as open_clip reads it")
    clip_model: str = Field("ViT-L-14-quickgelu", description="open_clip's name of that CLIP; OpenAI's use QuickGELU")
    device: str = Field("cpu", description="where detector and CLIP run, such as cuda")
    threshold: float = Field(0.3, ge=0, le=1, description="objects must be more certain than this")
    counting_threshold: float = Field(0.9, ge=0, le=1, description="the same for prompts that count")
    max_objects: int = Field(16, ge=1, description="so many objects of a class at most, the most certain")
    max_overlap: float = Field(
        1.0, ge=0, le=1, description="drop objects that overlap a more certain one by this or more; 1: drop none"
    )
    position_threshold: float = Field(
        0.1, ge=0, description="part of the two sizes by which centres must be apart to count as apart"
    )
