"""Options of the benchmark ``tokenizer_panel``."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from janus_bench.features.extractors import Name


class TokenizerPanelOptions(BaseModel):
    """Whether and how rFID is measured."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    extractor: Name | None = Field(
        default=None, description="network that rFID compares features of; null: rFID is not measured"
    )
    weights: Path | None = Field(default=None, description="weights of the extractor inception-2015")
