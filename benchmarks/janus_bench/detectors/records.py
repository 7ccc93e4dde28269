"""Files of detections, so that judging needs no detector.

Two forms are read. ``detections.json`` is ``{image: [{"class", "box", "score", "color"}, ...]}``. ``detections.jsonl``,
which we write, begins with a line that says who looked, ``{"detector": id, "colour_classifier": id, "stand_in": why}``,
followed by one line an image, ``{"image": "00000/samples/0000.png", "objects": [{"class", "box", "score", "color"}]}``.
``box`` is left, top, right, bottom in pixels; ``color`` may be absent or null where nobody has looked.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from janus_bench.detectors.interface import Detection
from janus_bench.suite.reading import field as checked
from janus_bench.suite.reading import read_lines, read_text
from janus_core.errors import UserError

NOT_STATED = "not stated"


@dataclass(slots=True)
class Detections:
    """What was found in the pictures of a folder.

    Attributes:
        objects: image (its path under the folder) -> what was found.
        detector: its id.
        colour_classifier: its id.
        stand_in: why numbers from these must not be reported; empty if they may be.
        repeated: images that stand in the file more than once, alike.
    """

    objects: dict[str, list[Detection]] = field(default_factory=dict)
    detector: str = NOT_STATED
    colour_classifier: str = NOT_STATED
    stand_in: str = ""
    repeated: list[str] = field(default_factory=list)

    def add(self, image: str, found: list[Detection], path: Path) -> None:
        """Add an image.

        Raises:
            UserError: it is there already with other objects.
        """
        if image in self.objects:
            if self.objects[image] != found:
                raise UserError(f"{path}: {image!r} stands twice, with different objects", "remove one of them")
            self.repeated.append(image)
        self.objects[image] = found


def read_detections(path: Path) -> Detections:
    """Read either form.

    Raises:
        UserError: the file is malformed; the image is named.
    """
    return _read_lines(path) if path.suffix == ".jsonl" else _read_object(path)


def _read_object(path: Path) -> Detections:
    found = Detections()
    try:
        # Pairs, because a dict would keep only the last of two entries of an image.
        content = json.loads(read_text(path), object_pairs_hook=list)
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}", "is this the right file, and whole?") from None
    if not _is_object(content):
        raise UserError(f"{path} is not a JSON object of images", 'expected {"00000/samples/0000.png": [...], ...}')
    for image, objects in content:
        plain = [dict(each) if _is_object(each) else each for each in objects] if isinstance(objects, list) else objects
        found.add(image, _objects(plain, f"{path}, image {image!r}"), path)
    return found


def _is_object(value: Any) -> bool:
    """Whether ``value`` is a JSON object that was read as pairs; an empty one cannot be told from an empty list."""
    return isinstance(value, list) and all(isinstance(pair, tuple) for pair in value)


def _read_lines(path: Path) -> Detections:
    found = Detections()
    for record in read_lines(path):
        if "image" in record:
            image = checked(record, "image", str, path)
            place = f"{path}, image {image!r}"
            found.add(image, _objects(checked(record, "objects", list, place), place), path)
        elif "detector" in record:
            found.detector = checked(record, "detector", str, path)
            found.colour_classifier = str(record.get("colour_classifier", NOT_STATED))
            found.stand_in = str(record.get("stand_in", ""))
        else:
            raise UserError(f"{path}: {json.dumps(record)[:80]} names no image", "see janus_bench.detectors.records")
    return found


def _objects(records: Any, place: str) -> list[Detection]:
    if not isinstance(records, list):
        raise UserError(f"{place}: {str(records)[:60]!r} is not a list of objects", "an empty list, if none was found")
    return [_object(record, f"{place}, object {number}") for number, record in enumerate(records)]


def _object(record: Any, place: str) -> Detection:
    if not isinstance(record, dict):
        raise UserError(f"{place} is {record!r}, not an object", 'expected {"class", "box", "score", "color"}')
    label, score = checked(record, "class", str, place), checked(record, "score", (int, float), place)
    box = checked(record, "box", list, place)
    numbers = [each for each in box if isinstance(each, int | float) and not isinstance(each, bool)]
    if len(numbers) != 4 or len(box) != 4 or not all(map(math.isfinite, [*numbers, score])):
        raise UserError(f"{place}: box {box} and score {score}", "a box is four numbers: left, top, right, bottom")
    colour = record.get("color", record.get("colour"))
    if colour is not None and not isinstance(colour, str):
        raise UserError(f"{place}: 'color' is {colour!r}, not a word", "one of GenEval's ten colours, or null")
    left, top, right, bottom = map(float, numbers)
    return Detection(label, (left, top, right, bottom), float(score), colour)


def header(detector: str, colour_classifier: str, stand_in: str) -> str:
    """The first line of ``detections.jsonl``."""
    record = {"detector": detector, "colour_classifier": colour_classifier, "stand_in": stand_in}
    return json.dumps(record, ensure_ascii=False) + "\n"


def line(image: str, found: Iterable[Detection]) -> str:
    """The line of an image in ``detections.jsonl``."""
    objects: Sequence[dict[str, object]] = [
        {"class": each.label, "box": list(each.box), "score": each.score, "color": each.colour} for each in found
    ]
    return json.dumps({"image": image, "objects": objects}, ensure_ascii=False) + "\n"
