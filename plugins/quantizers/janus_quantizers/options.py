"""Options of the generation tokenizers ``fsq``, ``lfq`` and ``residual``."""

from __future__ import annotations

from math import prod
from typing import Annotated, Literal

from pydantic import Field

from janus_conv_vq.options import (
    FORMAT,
    BaseChannels,
    Codes,
    CodeWidth,
    LatentChannels,
    Multipliers,
    PyramidSizes,
    ResidualBlocks,
    VQLosses,
    WeightsOptions,
)

EXACT = 1 << 24
"""The library counts the codes of all levels in float32, which is exact up to here."""


class QuantizerOptions(PyramidSizes, WeightsOptions):
    """The pyramid around each quantizer; defaults are those of LlamaGen's VQ-16."""

    base_channels: BaseChannels = 128
    channel_multipliers: Multipliers = (1, 1, 2, 2, 4)
    residual_blocks: ResidualBlocks = 2
    latent_channels: LatentChannels = 256


class FSQOptions(QuantizerOptions):
    """Finite scalar quantization; the default is the row 2^14 of table 1 of Mentzer et al. 2309.15505."""

    levels: tuple[Annotated[int, Field(ge=3)], ...] = Field(
        default=(8, 8, 8, 6, 5), min_length=1, description="steps that each number of a code's vector can take"
    )
    codebooks: int = Field(
        default=1,
        ge=1,
        description="codebooks that the levels are cut into, equally many neighbouring levels each; 1: one codebook of "
        "their product",
    )
    format: Literal["auto", "fsq"] = Field(default="auto", description=FORMAT)

    def model_post_init(self, context: object) -> None:
        """Check that the levels can be cut and counted."""
        super().model_post_init(context)
        if len(self.levels) % self.codebooks:
            allowed = [n for n in range(1, len(self.levels) + 1) if len(self.levels) % n == 0]
            raise ValueError(
                f"codebooks {self.codebooks} does not divide the {len(self.levels)} levels: use one of {allowed}"
            )
        if prod(self.levels) > EXACT:
            raise ValueError(
                f"levels {self.levels} have {prod(self.levels)} combinations, of which the library counts {EXACT}: "
                "use fewer or smaller levels"
            )

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of the codebooks."""
        each = len(self.levels) // self.codebooks
        return tuple(prod(self.levels[i : i + each]) for i in range(0, len(self.levels), each))


class LFQOptions(QuantizerOptions):
    """Lookup-free quantization; the default is the 2^18 codes of MAGVIT-v2 (Yu et al. 2310.05737), as two codebooks of
    2^9, which the paper calls token factorization."""

    bits: int = Field(default=18, ge=1, le=36, description="signs that make a code's vector, over all codebooks")
    codebooks: int = Field(
        default=2, ge=1, description="codebooks that the bits are cut into; each has 2 ** (bits / codebooks) codes"
    )
    format: Literal["auto", "lfq"] = Field(default="auto", description=FORMAT)

    def model_post_init(self, context: object) -> None:
        """Check that the bits can be cut, and that a classifier over a codebook is possible."""
        super().model_post_init(context)
        allowed = [n for n in range(1, self.bits + 1) if self.bits % n == 0 and self.bits // n <= 18]
        if self.codebooks not in allowed:
            raise ValueError(
                f"codebooks {self.codebooks} with {self.bits} bits: it must divide the bits into codebooks of at most "
                f"18 bits (262144 codes): use one of {allowed}"
            )

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of the codebooks."""
        return (2 ** (self.bits // self.codebooks),) * self.codebooks


class LFQLosses(VQLosses):
    """Those of every convolutional tokenizer. Without the entropy loss the codes collapse: here it is on."""

    entropy: float = Field(
        default=0.1,
        ge=0,
        description="weight of the entropy loss, which wants sure latents and all codes (MAGVIT-v2 as in the library: "
        "0.1)",
    )


class ResidualOptions(QuantizerOptions):
    """Residual quantization; the default has the 4 codebooks of RQ-VAE (Lee et al. 2203.01941), of 16384 codes each."""

    codes: Codes = 16384
    code_width: CodeWidth = 256
    codebooks: int = Field(
        default=4, ge=1, le=32, description="codebooks at each position, each of what those before it left over"
    )
    decay: float = Field(
        default=0.99, gt=0, lt=1, description="decay a step of the moving averages that the codes follow (RQ-VAE: 0.99)"
    )
    restart_below: float = Field(
        default=1.0,
        ge=0,
        description="a code used fewer times a step, on average, is put onto a latent of the batch; 0 is never",
    )
    format: Literal["auto", "residual"] = Field(default="auto", description=FORMAT)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of the codebooks."""
        return (self.codes,) * self.codebooks
