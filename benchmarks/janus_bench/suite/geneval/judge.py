"""Whether a picture shows what its prompt asks, as GenEval's evaluate_images.py decides (djghosh13/geneval, af4902f).

Boxes and confidences are float32 there, so they are here: a confidence of 0.3 is not above the threshold 0.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from janus_bench.detectors.classes import CLASSES
from janus_bench.detectors.interface import COLOURS, Detection

Box = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Rules:
    """The thresholds of judging; the defaults are the official ones.

    Attributes:
        stable: objects of equal confidence keep the order of the file. The official order of theirs is that of numpy's
            unstable sort, which differs from processor to processor.
    """

    threshold: float = 0.3
    counting_threshold: float = 0.9
    max_objects: int = 16
    max_overlap: float = 1.0
    position_threshold: float = 0.1
    stable: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """An object that counts: its box and confidence (float32 [5]) and its colour."""

    box: Box
    colour: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one picture: whether it is right, the official words why not, and what was found by class."""

    correct: bool
    reason: str
    found: Mapping[str, Sequence[Found]]

    @property
    def details(self) -> dict[str, list[list[float]]]:
        """The boxes and confidences, as ``results.jsonl`` has them."""
        return {label: [each.box.tolist() for each in found] for label, found in self.found.items()}


def judge(objects: Sequence[Detection], metadata: Mapping[str, Any], rules: Rules) -> Verdict:
    """Judge a picture by what was found in it; ``metadata`` is its prompt's line."""
    found = keep(objects, metadata["tag"], rules)
    reasons: list[str] = []
    matched: list[Sequence[Found] | None] = []
    for clause in metadata.get("include", ()):
        used = found.get(clause["class"], ())[: clause["count"]]
        wrong = _include(clause, used, matched, rules)
        reasons += wrong
        matched.append(None if wrong else used)
    for clause in metadata.get("exclude", ()):
        number = len(found.get(clause["class"], ()))
        if number >= clause["count"]:
            reasons.append(f"expected {clause['class']}<{clause['count']}, found {number}")
    return Verdict(not reasons, "\n".join(reasons), found)


def keep(objects: Sequence[Detection], tag: str, rules: Rules) -> dict[str, list[Found]]:
    """The objects that count, by class in the order of `CLASSES`, the most certain first; others are left out."""
    kept = {}
    limit = np.float32(rules.counting_threshold if tag == "counting" else rules.threshold)
    for label in CLASSES:
        mine = [each for each in objects if each.label == label]
        boxes = np.array([[*each.box, each.score] for each in mine], np.float32).reshape(-1, 5)
        scores = boxes[:, 4]
        order = np.argsort(-scores, kind="stable") if rules.stable else np.argsort(scores)[::-1]
        order = order[scores[order] > limit][: rules.max_objects]
        chosen = _apart(boxes, order.tolist(), rules.max_overlap)
        if chosen:
            kept[label] = [Found(boxes[index], mine[index].colour) for index in chosen]
    return kept


def _apart(boxes: Box, order: list[int], max_overlap: float) -> list[int]:
    """Those that overlap no more certain one by ``max_overlap`` or more."""
    if max_overlap == 1:
        return order
    chosen: list[int] = []
    for index in order:
        if all(overlap(boxes[other], boxes[index]) < max_overlap for other in chosen):
            chosen.append(index)
    return chosen


def overlap(one: Box, other: Box) -> Any:
    """Intersection over union (float32) of boxes whose right and bottom edges are pixels of theirs, as officially."""

    def area(left: Any, top: Any, right: Any, bottom: Any) -> Any:
        return max(right - left + 1, 0) * max(bottom - top + 1, 0)

    shared = area(*np.maximum(one[:2], other[:2]), *np.minimum(one[2:4], other[2:4]))
    union = area(*one[:4]) + area(*other[:4]) - shared
    return shared / union if union else 0


def relations(one: Found, other: Found, threshold: float) -> list[str]:
    """Where ``one`` is from ``other``: up to two of the four words, in a fixed order (the official one is a set's)."""
    (one_low, one_high), (other_low, other_high) = one.box[:4].reshape(2, 2), other.box[:4].reshape(2, 2)
    offset = (one_low + one_high) / 2 - (other_low + other_high) / 2
    sizes = np.abs(one_high - one_low) + np.abs(other_high - other_low)
    beyond = np.maximum(np.abs(offset) - threshold * sizes, 0) * np.sign(offset)
    if np.all(np.abs(beyond) < 1e-3):
        return []
    right, down = beyond / np.linalg.norm(offset)
    there = {"left of": right < -0.5, "right of": right > 0.5, "above": down < -0.5, "below": down > 0.5}
    return [word for word, holds in there.items() if holds]


def _include(
    clause: Mapping[str, Any], used: Sequence[Found], matched: Sequence[Sequence[Found] | None], rules: Rules
) -> list[str]:
    """What is wrong with the objects that a clause wants; ``used`` are the most certain of its class."""
    label, count = clause["class"], clause["count"]
    if len(used) < count:
        return [f"expected {label}>={count}, found {len(used)}"]
    if "color" in clause:
        wanted, colours = clause["color"], [each.colour for each in used]
        right = colours.count(wanted)
        if right < count:
            others = ", ".join(f"{colours.count(each)} {each}" for each in COLOURS if each in colours)
            return [f"expected {wanted} {label}>={count}, found {right} {wanted}; and {others}"]
    if "position" in clause:
        relation, group = clause["position"]
        targets = matched[group]
        if targets is None:
            return [f"no target for {label} to be {relation}"]
        for one in used:
            for target in targets:
                there = relations(one, target, rules.position_threshold)
                if relation not in there:
                    return [f"expected {label} {relation} target, found {' and '.join(there)} target"]
    return []
