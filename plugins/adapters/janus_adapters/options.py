"""Options of the adapters."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from janus_adapters.plugin import DEEPEST_MLP


class MlpOptions(BaseModel):
    """Options of ``mlp``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    depth: int = Field(default=2, ge=1, le=DEEPEST_MLP, description="number of linear layers; 2 in Janus")
    merge: int = Field(
        default=1,
        ge=1,
        description="side of the square of neighbouring tokens of a square grid that become one token, joined "
        "channel by channel (pixel unshuffle); 1 in Janus",
    )


class LinearOptions(BaseModel):
    """Options of ``linear``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bias: bool = Field(default=True, description="add a learned bias")


class IdentityOptions(BaseModel):
    """Options of ``identity``: it has none."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ResamplerOptions(BaseModel):
    """Options of ``resampler``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    queries: int = Field(default=64, ge=1, description="number of tokens that come out, whatever goes in")
    depth: int = Field(default=2, ge=1, description="number of attention blocks")
    heads: int = Field(default=8, ge=1, description="attention heads; a divisor of the language model's width")
    expansion: int = Field(default=4, ge=1, description="width of each feed-forward block, in language-model widths")
