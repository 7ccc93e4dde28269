"""What the benchmarks that draw share: how they sample, and what a card says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from janus_core.interfaces import BenchmarkWork, Picture, Sampling


class DrawingOptions(Protocol):
    """The options of a benchmark that draws."""

    @property
    def temperature(self) -> float: ...
    @property
    def guidance(self) -> float: ...
    @property
    def top_k(self) -> int: ...
    @property
    def top_p(self) -> float: ...


def draw(
    work: BenchmarkWork, prompts: Sequence[str], options: DrawingOptions, images_per_prompt: int = 1
) -> tuple[list[Picture], dict[str, Any]]:
    """The drawings of the prompts, and the settings that shaped them (for the card)."""
    how = {name: getattr(options, name) for name in ("temperature", "guidance", "top_k", "top_p")}
    pictures = work.draw("drawings", prompts, images_per_prompt=images_per_prompt, sampling=Sampling(**how))
    return pictures, {"seed": work.seed, "images_per_prompt": images_per_prompt, **how}
