"""Options of the language model ``llama``."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class LlamaOptions(BaseModel):
    """Sizes and weights of a Llama decoder; the number of text ids is handed in by the model, not set here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: str = Field(
        description="'none' for random weights, or a folder or file of safetensors in Hugging Face's Llama layout "
        "(relative paths start at the recipe's folder)"
    )
    hidden_size: int = Field(gt=0, description="width of the hidden states; a multiple of heads")
    intermediate_size: int = Field(gt=0, description="width inside each feed-forward block")
    layers: int = Field(gt=0, description="number of transformer blocks")
    heads: int = Field(gt=0, description="number of attention heads")
    kv_heads: int | None = Field(
        default=None, gt=0, description="number of key and value heads, a divisor of heads; null: as many as heads"
    )
    rms_norm_eps: float = Field(default=1e-6, gt=0, description="epsilon of every RMSNorm")
    rope_theta: float = Field(default=10000.0, gt=0, description="base of the rotary position frequencies")
    tied: bool = Field(default=False, description="use the embedding's weights as the text head (false in Janus)")
    max_positions: int = Field(default=16384, gt=0, description="longest sample or cache that is accepted, in tokens")
    initializer_range: float = Field(
        default=0.02, gt=0, description="standard deviation of the normal distribution of random weights"
    )

    @property
    def key_value_heads(self) -> int:
        """``kv_heads``, or ``heads`` where it is null."""
        return self.kv_heads or self.heads

    @property
    def head_width(self) -> int:
        """Width of one attention head."""
        return self.hidden_size // self.heads

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if self.hidden_size % self.heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is no multiple of heads {self.heads}: "
                f"set hidden_size to {self.heads * max(1, round(self.hidden_size / self.heads))} or change heads"
            )
        if self.head_width % 2:
            raise ValueError(
                f"hidden_size / heads = {self.head_width} is odd, but rotary positions turn pairs: "
                f"set hidden_size to {self.heads * (self.head_width + 1)} or change heads"
            )
        if self.heads % self.key_value_heads:
            allowed = [n for n in range(1, self.heads + 1) if self.heads % n == 0]
            raise ValueError(f"kv_heads {self.kv_heads} does not divide heads {self.heads}: use one of {allowed}")
        return self
