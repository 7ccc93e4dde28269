"""Captions, and questions with exact answers, computed from the scene's record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from janus_openmoji_scenes.scene import PLACES, Scene, keyed_generator
from janus_openmoji_scenes.vocabulary import COLOURS, DRAWINGS

__all__ = [
    "KINDS",
    "NUMBER_WORDS",
    "Kind",
    "Question",
    "answers",
    "ask",
    "caption",
    "facts",
    "questions",
    "with_article",
]

Kind = Literal["what", "how many", "where", "which colour", "is there"]
KINDS: tuple[Kind, ...] = get_args(Kind)
NUMBER_WORDS = ("zero", "one", "two", "three")


@dataclass(frozen=True, slots=True)
class Question:
    """A question about one scene, its kind and its only right answer."""

    kind: Kind
    text: str
    answer: str


def with_article(name: str) -> str:
    """Return "a key", "an apple"."""
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def caption(scene: Scene) -> str:
    """Return the whole scene in words, objects in raster order; also the prompt that asks for the picture.

    For example "an apple at the top left and a key at the bottom right on a blue background".
    """
    parts = [f"{with_article(item.drawing)} at the {item.place}" for item in scene.items]
    listed = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    return f"{listed} on a {scene.background} background"


def facts(scene: Scene) -> tuple[str, ...]:
    """Return the caption and every statement about one object: alone, with its place, with the background."""
    said = [caption(scene)]
    for item in scene.items:
        name = with_article(item.drawing)
        said += [name, f"{name} at the {item.place}", f"{name} on a {scene.background} background"]
    return tuple(dict.fromkeys(said))


def ask(scene: Scene, kind: Kind, key: int | str) -> Question:
    """Return one question of a kind; which one is a pure function of the scene and ``key``.

    "is there" is balanced: yes and no are equally likely for each scene, so the question alone tells nothing.
    """
    random = keyed_generator("question", scene, kind, key)
    item = scene.items[int(random.integers(len(scene.items)))]
    if kind == "what":
        return Question(kind, f"what is at the {item.place}?", item.drawing)
    if kind == "where":
        return Question(kind, f"where is the {item.drawing}?", item.place)
    if kind == "how many":
        return Question(kind, "how many objects are there?", NUMBER_WORDS[len(scene.items)])
    if kind == "which colour":
        return Question(kind, "which colour is the background?", scene.background)
    present = bool(random.integers(2))
    absent = [entry.name for entry in DRAWINGS if entry.name not in scene.drawings]
    name = item.drawing if present else absent[int(random.integers(len(absent)))]
    return Question(kind, f"is there {with_article(name)}?", "yes" if present else "no")


def questions(scene: Scene, key: int | str = 0, kinds: Iterable[Kind] = KINDS) -> tuple[Question, ...]:
    """Return one question of each kind, in the order of ``kinds``; see :func:`ask`."""
    return tuple(ask(scene, kind, key) for kind in kinds)


def answers(kind: Kind) -> tuple[str, ...]:
    """Return every answer that a question of this kind can have."""
    return {
        "what": tuple(entry.name for entry in DRAWINGS),
        "how many": NUMBER_WORDS[1:],
        "where": tuple(PLACES),
        "which colour": tuple(entry.name for entry in COLOURS),
        "is there": ("yes", "no"),
    }[kind]
