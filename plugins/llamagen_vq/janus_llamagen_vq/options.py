"""Options of the generation tokenizer ``llamagen_vq``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from janus_conv_vq.options import FORMAT, VQ16Options


class LlamaGenVQOptions(VQ16Options):
    """Defaults are VQ-16, as Janus freezes it."""

    format: Literal["auto", "deepseek", "huggingface", "taming"] = Field(default="auto", description=FORMAT)
