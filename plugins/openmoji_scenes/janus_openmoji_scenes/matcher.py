"""Read a picture without knowing its scene: which drawing stands at each place, and on which background.

Template matching against the known drawings. The background is the named colour nearest to the median of the outer
rim of the four places, where no card reaches. Each place is then compared with every card at every offset on that
background, and with a blank card; the smallest squared error wins, unless the place is empty (little differs from the
background) or unreadable (no drawing explains what a blank card does not). Pictures and templates are averaged over
2 x 2 pixels first, which forgives the blur of an image tokenizer.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from janus_openmoji_scenes.render import Image, card
from janus_openmoji_scenes.scene import CARD_SIZE, IMAGE_SIZE, OFFSETS, PLACE_SIZE, Scene
from janus_openmoji_scenes.score import Reading, Score, compare
from janus_openmoji_scenes.vocabulary import COLOURS, DRAWINGS, colour

__all__ = ["UNREADABLE", "read", "score"]

Floats = npt.NDArray[np.float32]

UNREADABLE = "?"
EMPTY_ENERGY = 150 / 255**2
"""Mean squared difference from the background below which a place is empty; the faintest card has 12 times this."""
UNREADABLE_ERROR = 0.6
"""A card is unreadable when its best drawing leaves more than this share of the error that a blank card leaves."""
RIM = 2
SEARCH = range(min(OFFSETS) - 1, max(OFFSETS) + 2)


def read(picture: Image) -> Reading:
    """Read a ``[64, 64, 3]`` 8-bit picture; about a millisecond.

    Raises:
        ValueError: the picture has another shape or type.
    """
    if picture.shape != (IMAGE_SIZE, IMAGE_SIZE, 3) or picture.dtype != np.uint8:
        wanted = f"[{IMAGE_SIZE}, {IMAGE_SIZE}, 3] of uint8"
        raise ValueError(f"picture is {list(picture.shape)} of {picture.dtype}; give {wanted}")
    background = _background(picture)
    ground = np.asarray(colour(background).rgb, dtype=np.float32) / np.float32(255)
    places = _features(_places(picture).astype(np.float32) / np.float32(255) - ground)
    energy = (places**2).mean(axis=1)
    templates, template_energy = _templates(background)
    errors = energy[:, None] + template_energy - 2 * places @ templates.T / templates.shape[1]
    blank = errors[:, -(len(SEARCH) ** 2) :].min(axis=1)
    errors = errors[:, : -(len(SEARCH) ** 2)]
    best = errors.argmin(axis=1)
    names: list[str | None] = []
    for power, row, winner, unlike in zip(energy, errors, best, blank, strict=True):
        if power < EMPTY_ENERGY:
            names.append(None)
        elif row[winner] > UNREADABLE_ERROR * unlike:
            names.append(UNREADABLE)
        else:
            names.append(DRAWINGS[int(winner) // len(SEARCH) ** 2].name)
    return Reading(tuple(names), background)


def score(picture: Image, scene: Scene) -> Score:
    """Read ``picture`` and compare with the scene that it should show."""
    return compare(read(picture), scene)


def _background(picture: Image) -> str:
    places = _places(picture)
    inner = np.zeros((PLACE_SIZE, PLACE_SIZE), dtype=bool)
    inner[RIM:-RIM, RIM:-RIM] = True
    median = np.median(places[:, ~inner].reshape(-1, 3), axis=0)
    distances = [float(((median - entry.rgb) ** 2).sum()) for entry in COLOURS]
    return COLOURS[int(np.argmin(distances))].name


def _places(picture: Image) -> Image:
    """``[64, 64, 3]`` to ``[4, 32, 32, 3]``, places in raster order."""
    split = picture.reshape(2, PLACE_SIZE, 2, PLACE_SIZE, 3).transpose(0, 2, 1, 3, 4)
    return split.reshape(4, PLACE_SIZE, PLACE_SIZE, 3)


def _features(places: Floats) -> Floats:
    """``[N, 32, 32, 3]`` to ``[N, 768]``: averages over 2 x 2 pixels."""
    half = PLACE_SIZE // 2
    pooled = places.reshape(len(places), half, 2, half, 2, 3).mean(axis=(2, 4))
    return np.asarray(pooled.reshape(len(places), -1), dtype=np.float32)


@lru_cache(maxsize=len(COLOURS))
def _templates(background: str) -> tuple[Floats, Floats]:
    """Every card, last a blank one, at every offset, less the background: ``[N, 768]``, and their mean squares."""
    ground = np.asarray(colour(background).rgb, dtype=np.uint8)
    cards = [card(entry.name) for entry in DRAWINGS]
    cards.append(np.full_like(cards[0], 255))
    rows = []
    for picture in cards:
        drawn = (picture.astype(np.float32) - ground) / 255
        places = np.zeros((len(SEARCH) ** 2, PLACE_SIZE, PLACE_SIZE, 3), dtype=np.float32)
        for index, (x, y) in enumerate((x, y) for y in SEARCH for x in SEARCH):
            places[index, y : y + CARD_SIZE, x : x + CARD_SIZE] = drawn
        rows.append(_features(places))
    bank = np.concatenate(rows)
    return bank, np.asarray((bank**2).mean(axis=1), dtype=np.float32)
