"""Options of the generation tokenizer ``vqgan``."""

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
    Positive,
    PyramidOptions,
    ResidualBlocks,
)


class VQGANOptions(PyramidOptions):
    """Defaults are the ImageNet model of 16x16 pixels a code and 16384 codes."""

    codes: Codes = 16384
    code_width: CodeWidth = 256
    base_channels: BaseChannels = 128
    channel_multipliers: Multipliers = (1, 1, 2, 2, 4)
    residual_blocks: ResidualBlocks = 2
    latent_channels: LatentChannels = 256
    resolution: int = Field(
        default=256,
        ge=1,
        description="nominal side in pixels that attention_resolutions refer to; pictures may have any size",
    )
    attention_resolutions: tuple[Positive, ...] = Field(
        default=(16,), description="sides, at the nominal resolution, of the levels with attention"
    )
    format: Literal["auto", "taming"] = Field(default="auto", description=FORMAT)
