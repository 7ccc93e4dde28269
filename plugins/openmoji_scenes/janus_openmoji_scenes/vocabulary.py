"""The checked list of drawings and colours that scenes are made of.

Emoji names differ from everyday words (there is no "car", only "automobile"), so each drawing keeps both: the word
that captions use and the official name. :func:`check_vocabulary` asserts the official one against the ``emoji``
package, so a wrong code point is found when the data set is opened and not in a picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

__all__ = ["COLOURS", "DRAWINGS", "Colour", "Drawing", "check_vocabulary", "colour", "drawing", "official_name"]

_Entry = TypeVar("_Entry")


@dataclass(frozen=True, slots=True)
class Drawing:
    """One OpenMoji drawing.

    Attributes:
        name: the one word that captions, questions and answers use.
        code: code points in hexadecimal joined by ``-``; also the stem of OpenMoji's file name.
        official: the name that the ``emoji`` package gives to ``code``, with spaces.
    """

    name: str
    code: str
    official: str


@dataclass(frozen=True, slots=True)
class Colour:
    """A background colour: the word for it and its 8-bit sRGB value."""

    name: str
    rgb: tuple[int, int, int]


DRAWINGS: tuple[Drawing, ...] = (
    Drawing("apple", "1F34E", "red apple"),
    Drawing("ball", "26BD", "soccer ball"),
    Drawing("banana", "1F34C", "banana"),
    Drawing("car", "1F697", "automobile"),
    Drawing("cat", "1F431", "cat face"),
    Drawing("clock", "23F0", "alarm clock"),
    Drawing("eggplant", "1F346", "eggplant"),
    Drawing("fish", "1F41F", "fish"),
    Drawing("gift", "1F381", "wrapped gift"),
    Drawing("guitar", "1F3B8", "guitar"),
    Drawing("hat", "1F3A9", "top hat"),
    Drawing("heart", "2764", "red heart"),
    Drawing("house", "1F3E0", "house"),
    Drawing("key", "1F511", "key"),
    Drawing("mushroom", "1F344", "mushroom"),
    Drawing("penguin", "1F427", "penguin"),
    Drawing("pizza", "1F355", "pizza"),
    Drawing("rocket", "1F680", "rocket"),
    Drawing("shirt", "1F455", "t-shirt"),
    Drawing("snail", "1F40C", "snail"),
    Drawing("star", "2B50", "star"),
    Drawing("tree", "1F333", "deciduous tree"),
    Drawing("turtle", "1F422", "turtle"),
    Drawing("umbrella", "2602", "umbrella"),
)
"""The drawings, in alphabetical order; chosen to be told apart by eye at 22 pixels."""

COLOURS: tuple[Colour, ...] = (
    Colour("blue", (150, 190, 240)),
    Colour("green", (165, 215, 150)),
    Colour("pink", (245, 180, 205)),
    Colour("yellow", (250, 225, 130)),
)
"""The background colours, pale, so that every drawing's dark outline stands out."""


def drawing(name: str) -> Drawing:
    """Return the drawing that captions call ``name``; ``KeyError`` names the known ones."""
    return _lookup(name, {entry.name: entry for entry in DRAWINGS}, "drawing")


def colour(name: str) -> Colour:
    """Return the colour called ``name``; ``KeyError`` names the known ones."""
    return _lookup(name, {entry.name: entry for entry in COLOURS}, "colour")


def official_name(code: str) -> str | None:
    """Return the ``emoji`` package's English name of ``code`` (hexadecimal, joined by ``-``), or ``None``."""
    import emoji

    text = "".join(chr(int(point, 16)) for point in code.split("-"))
    for candidate in (text, text + "\N{VARIATION SELECTOR-16}"):
        entry = emoji.EMOJI_DATA.get(candidate)
        if entry is not None:
            return str(entry["en"]).strip(":").replace("_", " ")
    return None


@lru_cache(maxsize=1)
def check_vocabulary() -> None:
    """Assert once a process that every drawing exists under its official name and that no name is used twice.

    Raises:
        ValueError: naming every entry that is wrong, with what was found in its place.
    """
    wrong = [
        f"{entry.name}: {entry.code} is {official_name(entry.code)!r}, expected {entry.official!r}"
        for entry in DRAWINGS
        if official_name(entry.code) != entry.official
    ]
    names = [entry.name for entry in DRAWINGS] + [entry.name for entry in COLOURS]
    wrong += [f"{name}: used twice" for name in sorted({name for name in names if names.count(name) > 1})]
    if wrong:
        raise ValueError("wrong entries in janus_openmoji_scenes.vocabulary, correct them there: " + "; ".join(wrong))


def _lookup(name: str, known: dict[str, _Entry], kind: str) -> _Entry:
    if name not in known:
        raise KeyError(f"no {kind} called {name!r}; known: {', '.join(known)}")
    return known[name]
