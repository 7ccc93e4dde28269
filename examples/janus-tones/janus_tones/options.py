"""Options of ``tones_encoder`` and ``tones``."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class EncoderOptions(BaseModel):
    """Options of the understanding encoder ``tones_encoder``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: str = Field(description="'none' for random weights, or a safetensors file of this encoder")
    width: int = Field(default=64, gt=0, description="width of the feature tokens; an even multiple of heads")
    layers: int = Field(default=2, gt=0, description="number of transformer blocks")
    heads: int = Field(default=4, gt=0, description="attention heads, a divisor of width")
    mels: int = Field(default=40, ge=8, le=80, description="bands of the log-mel spectrogram")
    frames_per_token: int = Field(default=8, ge=1, description="frames of 10 ms that become one token")

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        if self.width % self.heads or self.width % 2:
            allowed = [n for n in range(1, self.width + 1) if self.width % n == 0]
            raise ValueError(f"width {self.width} must be even and heads {self.heads} must divide it: one of {allowed}")
        return self


class SourceOptions(BaseModel):
    """Options of the data source ``tones``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    length: int = Field(default=10000, ge=1, description="number of samples")
    seed: int = Field(default=0, ge=0, description="another seed gives other sounds")
    split: Literal["train", "test"] = Field(default="train", description="sounds of one split never occur in the other")
    route: str = Field(default="audio", min_length=1, description="name of the model's route that the sounds go to")
