"""Options of the generation tokenizer ``llamagen_vq``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from janus_conv_vq.options import (
    FORMAT,
    BaseChannels,
    Codes,
    CodeWidth,
    LatentChannels,
    Multipliers,
    PyramidOptions,
    ResidualBlocks,
)


class LlamaGenVQOptions(PyramidOptions):
    """Defaults are VQ-16, as Janus freezes it."""

    codes: Codes = 16384
    code_width: CodeWidth = 8
    base_channels: BaseChannels = 128
    channel_multipliers: Multipliers = (1, 1, 2, 2, 4)
    residual_blocks: ResidualBlocks = 2
    latent_channels: LatentChannels = 256
    format: Literal["auto", "deepseek", "huggingface", "taming"] = Field(default="auto", description=FORMAT)
