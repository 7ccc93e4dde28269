"""Which combinations are held out of training: a fifth of drawing-colour pairs and a fifth of drawing-drawing pairs.

The split is made on combinations, never on pictures: every drawing and every colour is trained, but a held-out pair
never together. It is a constant of the data set, by hash, and does not depend on any seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations, product
from typing import Literal

from janus_openmoji_scenes.vocabulary import COLOURS, DRAWINGS

__all__ = ["HELD_OUT_FRACTION", "Combination", "Split", "held_out_combinations", "is_held_out", "scene_combinations"]

Split = Literal["train", "test"]
Combination = tuple[str, str]
"""``(drawing, colour)``, or two drawings in alphabetical order. No drawing shares its name with a colour."""

HELD_OUT_FRACTION = 0.2


def scene_combinations(background: str, drawings: Sequence[str]) -> tuple[Combination, ...]:
    """Return every combination that a scene of these drawings on this background contains."""
    on_colour = [(name, background) for name in drawings]
    return (*on_colour, *combinations(sorted(drawings), 2))


def is_held_out(combination: Combination) -> bool:
    """Say whether a combination is kept out of training."""
    return combination in held_out_combinations()


@lru_cache(maxsize=1)
def held_out_combinations() -> frozenset[Combination]:
    """Return the held-out combinations: a fifth of each kind, those with the smallest hashes.

    Of the drawing-colour pairs at most one a drawing is held out, so that each is trained on all colours but one.
    """
    names = sorted(entry.name for entry in DRAWINGS)
    on_colour = list(product(names, [entry.name for entry in COLOURS]))
    pairs = list(combinations(names, 2))
    first = {pair[0]: pair for pair in sorted(on_colour, key=_hash, reverse=True)}
    held_out = sorted(first.values(), key=_hash)[: round(HELD_OUT_FRACTION * len(on_colour))]
    return frozenset([*held_out, *sorted(pairs, key=_hash)[: round(HELD_OUT_FRACTION * len(pairs))]])


def _hash(pair: Combination) -> bytes:
    return hashlib.blake2b("/".join(pair).encode(), digest_size=16).digest()
