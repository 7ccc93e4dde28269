"""Scenes as records, and the keyed sampler that says which scene stands at an index.

Geometry (pixels): a picture is 64 x 64 and has four places, each 32 x 32; a white card of 26 x 26 with a drawing of
22 x 22 lies in its place at an offset of 2 or 4 from the corner, so never on the 8-pixel grid on which image tokenizers
cut their codes. The card keeps drawing and background apart: the middle of a drawing looks the same on every colour, so
that a combination never seen is made of pieces that were.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from janus_openmoji_scenes.split import Split, is_held_out, scene_combinations
from janus_openmoji_scenes.vocabulary import COLOURS, DRAWINGS

__all__ = [
    "CARD_SIZE",
    "DRAWING_SIZE",
    "IMAGE_SIZE",
    "MAX_OBJECTS",
    "OFFSETS",
    "PLACES",
    "PLACE_SIZE",
    "Item",
    "Place",
    "Scene",
    "place_origin",
    "sample_scene",
]

Place = Literal["top left", "top right", "bottom left", "bottom right"]

IMAGE_SIZE = 64
PLACE_SIZE = 32
CARD_SIZE = 26
DRAWING_SIZE = 22
PLACES: tuple[Place, ...] = ("top left", "top right", "bottom left", "bottom right")
"""The places in raster order, the order in which captions name objects."""
OFFSETS: tuple[int, ...] = (2, 4)
"""Offsets, in pixels, of a card from the corner of its place, in each direction."""
MAX_OBJECTS = 3


@dataclass(frozen=True, slots=True)
class Item:
    """One drawing at a place.

    Attributes:
        drawing: name of the drawing, see :data:`janus_openmoji_scenes.vocabulary.DRAWINGS`.
        place: one of :data:`PLACES`.
        offset: ``(x, y)`` pixels from the corner of the place to the corner of the card.
    """

    drawing: str
    place: Place
    offset: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Scene:
    """A background colour and its items, all different drawings, in raster order of their places."""

    background: str
    items: tuple[Item, ...]

    def at(self, place: Place) -> str | None:
        """Return the name of the drawing at ``place``, or ``None`` where nothing stands."""
        return next((item.drawing for item in self.items if item.place == place), None)

    @property
    def drawings(self) -> tuple[str, ...]:
        """Names of the drawings, in raster order."""
        return tuple(item.drawing for item in self.items)


def place_origin(place: Place) -> tuple[int, int]:
    """Return the ``(x, y)`` pixel of a place's upper left corner."""
    row, column = divmod(PLACES.index(place), 2)
    return column * PLACE_SIZE, row * PLACE_SIZE


def sample_scene(
    index: int, *, seed: int = 0, split: Split = "train", counts: Sequence[int] = (1, 2, 3), salt: str = ""
) -> Scene:
    """Return the scene at ``index``: a pure function of all the arguments, independent of any other call.

    The number of objects is drawn first, evenly from ``counts``; then drawings, places, offsets and background are
    drawn together until the split's rule holds (a training scene has no held-out combination, a test scene at least
    one), so the rule does not change how often each number of objects occurs.

    Args:
        index: any non-negative number; every split is endless.
        seed: names another endless sequence of scenes. The split into train and test does not depend on it.
        split: ``"train"`` or ``"test"``.
        counts: allowed numbers of objects, each 1 to :data:`MAX_OBJECTS`; ``(1,)`` starts a curriculum.
        salt: a purpose name, for scenes that must not coincide with those of another purpose.

    Raises:
        ValueError: ``index`` is negative, or ``counts`` is empty or out of range.
    """
    if index < 0:
        raise ValueError(f"index is {index}; a scene's index is 0 or more")
    if not counts or not all(1 <= count <= MAX_OBJECTS for count in counts):
        raise ValueError(f"counts is {tuple(counts)}; give numbers of objects from 1 to {MAX_OBJECTS}")
    random = keyed_generator("scene", salt, seed, split, index, tuple(counts))
    count = counts[int(random.integers(len(counts)))]
    while True:
        scene = _draw_scene(random, count)
        held_out = any(is_held_out(pair) for pair in scene_combinations(scene.background, scene.drawings))
        if held_out == (split == "test"):
            return scene


def keyed_generator(*key: object) -> np.random.Generator:
    """Return a generator that depends on ``key`` alone (by the hash of its ``repr``), for one item's draws."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def _draw_scene(random: np.random.Generator, count: int) -> Scene:
    background = COLOURS[int(random.integers(len(COLOURS)))].name
    drawings = random.permutation(len(DRAWINGS))[:count]
    places = sorted(int(place) for place in random.permutation(len(PLACES))[:count])
    offsets = random.integers(len(OFFSETS), size=(count, 2))
    items = tuple(
        Item(DRAWINGS[int(name)].name, PLACES[place], (OFFSETS[int(x)], OFFSETS[int(y)]))
        for name, place, (x, y) in zip(drawings, places, offsets, strict=True)
    )
    return Scene(background, items)
