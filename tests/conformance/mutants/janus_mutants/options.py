"""Options: the right ones, and some with one fault."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """Right."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: str = Field(description="'none' for random weights")
    width: int = Field(default=32, gt=0, description="width of the tokens")
    side: int = Field(default=32, gt=0, description="side in pixels")


class Inner(BaseModel):
    """Takes misspelled names."""

    rate: float = Field(default=1.0, description="a rate")


class LenientInside(Options):
    """Its own names are checked, those inside are not."""

    inner: Inner = Field(default=Inner(), description="more options")


class Lenient(Options):
    """Takes misspelled names."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class WrongDefault(Options):
    """Its default is below its own limit."""

    width: int = Field(default=0, gt=0, description="width of the tokens")
