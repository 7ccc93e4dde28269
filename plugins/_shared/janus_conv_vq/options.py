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


class VQLosses(BaseModel):
    """The losses of a tokenizer that is trained alone. Defaults are LlamaGen's (``vq_train.py`` and ``vq_loss.py`` of
    FoundationVision/LlamaGen), from which Janus takes its tokenizer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    absolute: float = Field(
        default=0.0, ge=0, description="weight of the mean absolute error of the pixels (LlamaGen: 0, taming: 1)"
    )
    squared: float = Field(
        default=1.0, ge=0, description="weight of the mean squared error of the pixels (LlamaGen: 1, taming: 0)"
    )
    perceptual: float = Field(
        default=1.0, ge=0, description="weight of LPIPS on VGG16 (LlamaGen and taming: 1); off without vgg"
    )
    vgg: str | None = Field(
        default=None,
        min_length=1,
        description="file of VGG16 trained on ImageNet, in torchvision's layout (vgg16-397923af.pth), relative to the "
        "recipe; null: the perceptual loss is off, which is said and recorded",
    )
    adversarial: float = Field(
        default=0.5, ge=0, description="weight of the critic's verdict, and of the critic's own hinge loss (LlamaGen)"
    )
    adversarial_start: int = Field(
        default=20000, ge=0, description="steps before the critic begins to learn and to count (LlamaGen: 20000)"
    )
    adaptive: bool = Field(
        default=False,
        description="scale the verdict so that its gradient at the decoder's last kernel is as long as that of the "
        "other picture losses (LlamaGen: no, taming: yes)",
    )
    critic_width: Positive = Field(default=64, description="channels of the critic's first layer (LlamaGen and taming)")
    critic_layers: Positive = Field(
        default=3, description="layers of the critic that halve the side (LlamaGen and taming: 3)"
    )
    commitment: float = Field(
        default=0.25, ge=0, description="weight of the pull of the latents towards their codes (LlamaGen)"
    )
    codebook: float = Field(
        default=1.0,
        ge=0,
        description="weight of the pull of the codes towards their latents, for codebooks that learn by gradient "
        "(LlamaGen: 1)",
    )
    entropy: float = Field(
        default=0.0,
        ge=0,
        description="weight of the entropy loss, which wants sure latents and all codes (LlamaGen: 0)",
    )
    entropy_temperature: float = Field(
        default=0.01, gt=0, description="temperature of the shares of codes in the entropy loss (LlamaGen: 0.01)"
    )


class WeightsOptions(BaseModel):
    """Where the weights of a tokenizer come from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: str = Field(
        min_length=1,
        description="none (random weights), a .safetensors, .pt, .ckpt or .bin file (relative to the recipe), "
        "or hf-hub:organisation/repository/file",
    )


class TokenizerOptions(WeightsOptions):
    """What every convolutional tokenizer with one codebook can be told."""

    codes: Codes
    code_width: CodeWidth


class PyramidSizes(BaseModel):
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


class PyramidOptions(PyramidSizes, TokenizerOptions):
    """A pyramid, and one codebook."""


class VQ16Options(PyramidOptions):
    """Defaults are VQ-16 of LlamaGen (``VQ_16`` in its ``vq_model.py``)."""

    codes: Codes = 16384
    code_width: CodeWidth = 8
    base_channels: BaseChannels = 128
    channel_multipliers: Multipliers = (1, 1, 2, 2, 4)
    residual_blocks: ResidualBlocks = 2
    latent_channels: LatentChannels = 256
