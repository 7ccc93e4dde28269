"""Options of the file readers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class FileOptions(BaseModel):
    """What every reader needs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(description="the file, relative to the recipe")


class ImageFileOptions(FileOptions):
    """What every reader of images needs."""

    images: str | None = Field(
        default=None, description="folder that image paths are relative to; default: the file's own"
    )
    route: str = Field(default="image", description="understanding route that the images go through")


class CaptionOptions(ImageFileOptions):
    """Options of ``image_captions``: lines such as ``{"image": "cat.jpg", "caption": "a cat on a sofa"}``."""

    task: Literal["understanding", "generation"] = Field(description="describe the image, or draw it from its caption")
    image_key: str = Field(default="image", description="key of the image's path")
    caption_key: str = Field(default="caption", description="key of the caption")
    instruction: str = Field(
        default="Describe the image in detail.", description="what is asked before a description (Janus, section 3.2)"
    )


class LlavaOptions(ImageFileOptions):
    """Options of ``llava``: ``[{"id": …, "image": …, "conversations": [{"from": "human", "value": …}, …]}, …]``."""


class TextOptions(FileOptions):
    """Options of ``text_jsonl``: lines such as ``{"text": "…"}``."""

    text_key: str = Field(default="text", description="key of the text")
