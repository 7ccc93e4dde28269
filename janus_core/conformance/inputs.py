"""Generated raw inputs, a few a modality; an author of another modality names a function that gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from janus_core.conformance.check import NotRun
from janus_registry.records import Component
from janus_registry.requirements import import_reference

SIDES = ((48, 40), (40, 72), (64, 64), (96, 50))
"""Widths and heights of the pictures: none is square but one, as users' pictures are."""
SECONDS = (0.31, 0.82, 0.47, 1.13)


def raw_inputs(component: Component, modality: str, count: int) -> list[Any]:
    """Raw inputs of the modality: ``PIL.Image`` (image) or float32 [samples] in [-1, 1] (audio).

    A capability ``examples: "package.module:function"`` of the component is asked instead: ``function(index) -> raw``.
    """
    give = example_giver(component, modality)
    return [give(index) for index in range(count)]


def example_giver(component: Component, modality: str) -> Callable[[int], Any]:
    """The function of an index that gives a raw input; `NotRun` for a modality that the kit cannot make up."""
    reference = component.spec.capabilities.get("examples")
    if isinstance(reference, str):
        found: Callable[[int], Any] = import_reference(reference, component)
        return found
    if modality == "image":
        return picture
    if modality == "audio":
        return lambda index: sound(index, component.spec.capabilities.get("x_sample_rate", 16000))
    raise NotRun(
        f"the kit makes no inputs of modality {modality!r}: declare the capability "
        "examples='package.module:function', a function of an index that gives a raw input"
    )


def picture(index: int) -> Any:
    """A PIL picture in mode RGB: smooth colours with noise, so that neither a mean nor an edge is special."""
    from PIL import Image

    width, height = SIDES[index % len(SIDES)]
    return Image.fromarray(pixels(index, width, height))


def pixels(seed: int, width: int, height: int) -> Any:
    """uint8 [height, width, 3]."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (5, 5, 3)).astype(np.float64)
    rows, columns = np.linspace(0, 4.99, height).astype(int), np.linspace(0, 4.99, width).astype(int)
    noisy = coarse[rows][:, columns] + generator.normal(0, 40, (height, width, 3))
    return noisy.clip(0, 255).astype(np.uint8)


def sound(index: int, rate: Any = 16000) -> Any:
    """float32 [samples]: two tones and noise."""
    generator = np.random.default_rng(index)
    time = np.arange(int(float(rate) * SECONDS[index % len(SECONDS)])) / float(rate)
    tones = sum(0.3 * np.sin(2 * np.pi * f * time) for f in generator.uniform(200, 2000, 2))
    return (tones + 0.01 * generator.normal(size=time.size)).astype(np.float32)
