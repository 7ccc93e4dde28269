"""Runs the detector and the colour classifier over drawings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from janus_bench.detectors.interface import ColourClassifier, Detection, Detector
from janus_bench.detectors.records import Detections, header, line, read_detections
from janus_bench.opening import open_rgb
from janus_bench.suite.geneval import files
from janus_bench.suite.geneval.files import Prompt
from janus_bench.suite.geneval.options import GenEvalOptions
from janus_core.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image


def look(
    pictures: Mapping[str, Path],
    prompts: Mapping[int, Prompt],
    options: GenEvalOptions,
    file: Path | None = None,
    progress: Callable[[Iterable[Any], str], Iterable[Any]] | None = None,
) -> Detections:
    """Find the objects of all pictures, and the colours of those whose colour is asked.

    Args:
        file: write ``detections.jsonl`` while looking; pictures that are in it already are not looked at again.

    Raises:
        UserError: no detector is chosen, its weights are not there, or ``file`` is another detector's.
    """
    detector, colours = _models(options)
    stand_in = detector.stand_in or colours.stand_in
    if file is None:
        found = Detections({}, detector.id, colours.id, stand_in)
    else:
        found = _resume(file, detector, colours, stand_in)
    rest = [(name, path) for name, path in pictures.items() if name not in found.objects]
    for name, path in progress(rest, "looking") if progress else rest:
        known = files.image_id(name)
        assert known is not None
        objects = (
            see(open_rgb(path, upright=True), prompts[known[1]], detector, colours, options)
            if known[1] in prompts
            else []
        )
        found.add(name, objects, path)
        if file is not None:
            with file.open("a", encoding="utf-8") as stream:
                stream.write(line(name, objects))
    return found


def see(
    image: Image, prompt: Prompt, detector: Detector, colours: ColourClassifier, options: GenEvalOptions
) -> list[Detection]:
    """The objects of a picture, with the colours of those that might be asked for one; masks are let go."""
    objects = detector.detect(image)
    least = min(options.threshold, options.counting_threshold)
    asked = {clause["class"] for clause in prompt.record.get("include", ()) if "color" in clause}
    for label in sorted(asked):
        mine = [index for index, each in enumerate(objects) if each.label == label and each.score > least]
        for index, colour in zip(mine, colours.classify(image, [objects[i] for i in mine]), strict=True):
            objects[index] = replace(objects[index], colour=colour)
    return [replace(each, mask=None) for each in objects]


def _models(options: GenEvalOptions) -> tuple[Detector, ColourClassifier]:
    if options.detector is None:
        raise UserError(
            "no detector is chosen, and there are no detections",
            "--set detector=mask2former --set detector_weights=DIR --set clip_weights=FILE, or give detections.jsonl",
        )
    if options.detector == "stand-in":
        from janus_bench.detectors.stand_in import NearestColour, ShapeDetector

        return ShapeDetector(), NearestColour()
    if options.detector_weights is None or options.clip_weights is None:
        raise UserError(
            "mask2former needs weights, and colours need CLIP's",
            "--set detector_weights=DIR (a Mask2Former for COCO instances) --set clip_weights=FILE (CLIP ViT-L/14)",
        )
    from janus_bench.detectors.clip_colours import ClipColours
    from janus_bench.detectors.mask2former import Mask2FormerDetector

    return (
        Mask2FormerDetector(options.detector_weights, options.device),
        ClipColours(options.clip_model, options.clip_weights, options.device),
    )


def _resume(file: Path, detector: Detector, colours: ColourClassifier, stand_in: str) -> Detections:
    """What ``file`` holds already; a line that a stop has cut is dropped."""
    if not file.exists():
        file.write_text(header(detector.id, colours.id, stand_in), encoding="utf-8")
    text = file.read_text(encoding="utf-8")
    if not text.endswith("\n"):
        file.write_text(text[: text.rfind("\n") + 1] or header(detector.id, colours.id, stand_in), encoding="utf-8")
    found = read_detections(file)
    if (found.detector, found.colour_classifier) != (detector.id, colours.id):
        raise UserError(
            f"{file} was written by {found.detector} and {found.colour_classifier}, not {detector.id} and {colours.id}",
            f"remove {file}",
        )
    return found
