"""Options of the generation tokenizer ``movqgan``."""

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


class MoVQGANOptions(PyramidOptions):
    """Defaults are the 67M model."""

    codes: Codes = 16384
    code_width: CodeWidth = 4
    base_channels: BaseChannels = 128
    channel_multipliers: Multipliers = (1, 2, 2, 4)
    residual_blocks: ResidualBlocks = 2
    latent_channels: LatentChannels = 4
    format: Literal["auto", "movqgan", "diffusers"] = Field(default="auto", description=FORMAT)
