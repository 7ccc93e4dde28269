"""Options that every convolutional tokenizer has, as types that carry their own descriptions. Imports no torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

GROUPS = 32
"""Groups of every GroupNorm of the VQGAN family; each width must be a multiple of it."""

Positive = Annotated[int, Field(ge=1)]
Codes = Annotated[int, Field(ge=2, description="number of codes in the codebook")]
CodeWidth = Annotated[int, Field(ge=1, description="length of a code's vector")]
BaseChannels = Annotated[int, Field(ge=1, description="channels at full resolution; widths are multiples of 32")]
Multipliers = Annotated[
    tuple[Positive, ...],
    Field(
        min_length=1,
        description="channels of each level over base_channels, full resolution first; each next one halves the side",
    ),
]
ResidualBlocks = Annotated[
    int, Field(ge=1, le=15, description="residual blocks a level of the encoder; the decoder has one more")
]
LatentChannels = Annotated[int, Field(ge=1, description="channels between the pyramid and the codes")]
FORMAT = "the layout of the weights file; auto takes the one that fits best"


class PretrainingOptions(BaseModel):
    """Weights of the losses when the tokenizer is trained alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    absolute: float = Field(default=1.0, ge=0, description="weight of the mean absolute error of the pixels")
    squared: float = Field(default=1.0, ge=0, description="weight of the mean squared error of the pixels")
    commitment: float = Field(default=0.25, ge=0, description="weight of the pull of the latents towards their codes")
    codebook: float = Field(
        default=1.0,
        ge=0,
        description="weight of the pull of the codes towards their latents (codebooks with a gradient only)",
    )


class TokenizerOptions(BaseModel):
    """What every convolutional tokenizer can be told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: str = Field(
        min_length=1,
        description="none (random weights), a .safetensors, .pt, .ckpt or .bin file (relative to the recipe), "
        "or hf-hub:organisation/repository/file",
    )
    codes: Codes
    code_width: CodeWidth
    pretraining: PretrainingOptions = Field(
        default=PretrainingOptions(), description="how the tokenizer is trained alone"
    )


class PyramidOptions(TokenizerOptions):
    """A pyramid of residual blocks, as VQGAN has it."""

    base_channels: BaseChannels
    channel_multipliers: Multipliers
    residual_blocks: ResidualBlocks
    latent_channels: LatentChannels

    def model_post_init(self, _: object) -> None:
        """Check the widths: GroupNorm needs multiples of 32."""
        bad = [self.base_channels * m for m in (1, *self.channel_multipliers) if self.base_channels * m % GROUPS]
        if bad:
            raise ValueError(
                f"base_channels {self.base_channels} with channel_multipliers {self.channel_multipliers} gives widths "
                f"{sorted(set(bad))}: every width must be a multiple of {GROUPS}; use base_channels "
                f"{max(1, round(self.base_channels / GROUPS)) * GROUPS}"
            )

    @property
    def factor(self) -> int:
        """Pixels a side of one code."""
        return int(2 ** (len(self.channel_multipliers) - 1))
