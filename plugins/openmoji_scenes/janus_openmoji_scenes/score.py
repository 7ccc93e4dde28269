"""What was seen at each place of a picture, and how much of a scene that gets right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from janus_openmoji_scenes.scene import PLACES, Scene

__all__ = ["Reading", "Score", "compare", "total"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What stands where.

    Attributes:
        places: for each of :data:`janus_openmoji_scenes.scene.PLACES`, the drawing's name, ``None`` where nothing
            stands, or ``"?"`` where something stands that matches no drawing.
        background: name of the background colour.
    """

    places: tuple[str | None, ...]
    background: str

    @classmethod
    def of(cls, scene: Scene) -> Reading:
        """Return the reading of a perfect picture of ``scene``."""
        return cls(tuple(scene.at(place) for place in PLACES), scene.background)


@dataclass(frozen=True, slots=True)
class Score:
    """Counts over one or more scenes; a right object is the right drawing at the right place.

    Attributes:
        objects: objects that the scenes ask for.
        objects_right: of those, how many were read at their place.
        places_right: of four places a scene, how many were read right, the empty ones included.
        colours_right: scenes with the right background.
        scenes_right: scenes with every place and the background right.
        scenes: number of scenes.
    """

    objects: int
    objects_right: int
    places_right: int
    colours_right: int
    scenes_right: int
    scenes: int

    @property
    def object_accuracy(self) -> float:
        """Right objects over objects asked for, 0 to 1."""
        return self.objects_right / self.objects

    @property
    def colour_accuracy(self) -> float:
        """Scenes with the right background over scenes, 0 to 1."""
        return self.colours_right / self.scenes

    @property
    def scene_accuracy(self) -> float:
        """Scenes right in all respects over scenes, 0 to 1."""
        return self.scenes_right / self.scenes


def compare(reading: Reading, scene: Scene) -> Score:
    """Score one reading against the scene that was asked for."""
    truth = Reading.of(scene)
    equal = [read == true for read, true in zip(reading.places, truth.places, strict=True)]
    return Score(
        objects=len(scene.items),
        objects_right=sum(same for same, true in zip(equal, truth.places, strict=True) if true is not None),
        places_right=sum(equal),
        colours_right=int(reading.background == truth.background),
        scenes_right=int(reading == truth),
        scenes=1,
    )


def total(scores: Iterable[Score]) -> Score:
    """Add scores up, count by count; ``ValueError`` when there are none."""
    listed = list(scores)
    if not listed:
        raise ValueError("no scores to add up; score at least one scene")
    fields = ("objects", "objects_right", "places_right", "colours_right", "scenes_right", "scenes")
    return Score(**{field: sum(getattr(score, field) for score in listed) for field in fields})
