"""Options of the language model ``transformers``."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

HUB = "hf-hub:"


class TransformersOptions(BaseModel):
    """Which model of Hugging Face's transformers, and where its weights come from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: str = Field(
        min_length=1,
        description="'none' (random, of the architecture below), a folder as save_pretrained writes it, a .gguf file, "
        "either also as 'package:NAME/FILE' inside an installed package, or 'hf-hub:organisation/name'; relative paths "
        "start at the recipe's folder",
    )
    config: str | None = Field(
        None,
        description="with weights none: a folder with config.json, or 'hf-hub:organisation/name', whose architecture "
        "is taken",
    )
    model_type: str | None = Field(
        None,
        description="with weights none and no config: transformers' name of the architecture (llama, qwen2 …)",
    )
    settings: dict[str, Any] = Field(
        default_factory=dict, description="sizes of model_type, by the names of its configuration class"
    )
    attention: Literal["sdpa", "eager"] = Field("sdpa", description="transformers' implementation of the attention")
    max_positions: int | None = Field(
        None, gt=0, description="longest sample or cache that is accepted, in tokens; null: what the model declares"
    )

    architecture: dict[str, Any] | None = Field(
        None, description="configuration of the weights, written by checkpoints, so that they need no other file"
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        named = [name for name in ("config", "model_type") if getattr(self, name) is not None]
        if self.weights != "none" and (named or self.settings):
            raise ValueError(
                f"weights {self.weights!r} brings its own architecture: remove {', '.join(named or ['settings'])}"
            )
        if self.weights == "none" and len(named) != 1:
            raise ValueError(
                "weights none needs an architecture: give config (a folder or hub name), or model_type and settings"
            )
        if self.settings and self.model_type is None:
            raise ValueError("settings belong to model_type: give it, or remove settings")
        return self
