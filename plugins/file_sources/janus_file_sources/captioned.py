"""A picture and its caption -> a sample, the same for all readers of captions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from PIL import Image

from janus_core.interfaces import Given, Message, Sample, Target, Task


class CaptionTask(Protocol):
    """What the options of a reader of captions say of the sample."""

    @property
    def task(self) -> Task: ...
    @property
    def route(self) -> str: ...
    @property
    def instruction(self) -> str: ...


def caption_sample(options: CaptionTask, place: str, caption: str, image: Callable[[], Image.Image]) -> Sample:
    """The sample of a caption; ``image`` is called only if the task needs the picture (``text`` does not)."""
    if options.task == "text":
        return Sample(place, "text", (Message("plain", (caption,)),))
    if options.task == "generation":
        return Sample(place, "generation", (Message("user", (caption,)), Message("assistant", (Target(image()),))))
    given = Given(options.route, image())
    asked = (given, f"\n{options.instruction}") if options.instruction else (given,)
    return Sample(place, "understanding", (Message("user", asked), Message("assistant", (caption,))))
