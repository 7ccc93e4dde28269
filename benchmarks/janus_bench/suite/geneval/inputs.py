"""Finds what a GenEval score is computed from: results, detections or pictures, and the prompts they belong to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from janus_bench.suite.geneval import files
from janus_bench.suite.geneval.files import Prompt
from janus_bench.suite.reading import field as checked
from janus_bench.suite.reading import named, read_lines
from janus_core.errors import UserError
from janus_core.scores import ScoreCard

DETECTIONS = ("detections.jsonl", "detections.json")
RESULTS = "results.jsonl"
Judged = Mapping[str, tuple[Prompt, bool, str]]
"""Id of a picture -> its prompt, whether it is right, and the official words why not."""


def number(name: str) -> int:
    """The number of the prompt of a picture's id."""
    return int(name.split("/")[0])


@dataclass(slots=True)
class Inputs:
    """What was found; the first that is there of results, detections and pictures is used.

    Attributes:
        prompts: by number.
        results: the lines of an official ``results.jsonl``, judged already.
        detections: a file of them.
        pictures: id -> file; empty if there are none.
    """

    prompts: dict[int, Prompt] = field(default_factory=dict)
    results: Path | None = None
    detections: Path | None = None
    pictures: dict[str, Path] = field(default_factory=dict)


def find(predictions: Path, annotations: Path | None) -> Inputs:
    """Look at the arguments of ``janus bench score geneval``.

    Args:
        predictions: ``detections.json(l)``, ``results.jsonl``, a folder of pictures in the official layout, or a folder
            that holds some of them.
        annotations: ``evaluation_metadata.jsonl``, or a folder that holds it or pictures with ``metadata.jsonl``.

    Raises:
        UserError: nothing to score is there, or no prompts, or the prompts of two places differ.
    """
    found = Inputs()
    folder = predictions if predictions.is_dir() else predictions.parent
    pictures = files.picture_folder(folder)
    if predictions.is_dir():
        found.detections = _first(folder, DETECTIONS)
        found.results = None if found.detections or pictures else _first(folder, (RESULTS,))
        found.pictures = files.pictures_of(pictures) if pictures else {}
    elif not predictions.is_file():
        raise UserError(f"there is no {predictions}", "give detections, results.jsonl or a folder of pictures")
    elif _is_results(predictions):
        found.results = predictions
    else:
        found.detections = predictions
    if not (found.detections or found.results or found.pictures):
        names = ", ".join((*DETECTIONS, RESULTS))
        raise UserError(f"{folder} holds none of {names}, 00000/samples/0000.png", "give a folder that holds one")
    beside = files.folder_prompts(pictures) if pictures and (predictions.is_dir() or annotations is None) else {}
    found.prompts = _prompts(folder, annotations, beside) if not found.results or annotations else {}
    return found


def read_results(path: Path) -> Judged:
    """The judgements of an official ``results.jsonl``.

    Raises:
        UserError: a line is malformed, or a picture is judged twice, differently.
    """
    found: dict[str, tuple[Prompt, bool, str]] = {}
    for row, record in enumerate(read_lines(path), 1):
        place = f"{path}, line {row}"
        known = files.image_id(checked(record, "filename", str, place))
        if known is None:
            raise UserError(f"{place}: {record['filename']!r} is no 00000/samples/0000.png", "as GenEval writes it")
        try:
            metadata = json.loads(checked(record, "metadata", str, place))
        except ValueError as error:
            raise UserError(f"{place}: 'metadata' is not JSON: {error}", "as GenEval writes it") from None
        prompt = files.check_prompt(metadata if isinstance(metadata, dict) else {}, place)
        line = (prompt, checked(record, "correct", bool, place), str(record.get("reason", "")))
        if found.setdefault(known[0], line) != line:
            raise UserError(f"{place}: {known[0]} was judged before, differently", "remove one of the lines")
    return found


def asked(card: ScoreCard, judged: Judged, prompts: Mapping[int, Prompt]) -> Judged:
    """The judgements of pictures that were asked; the card warns of others.

    Raises:
        UserError: a picture was judged by another prompt.
    """
    strange = [name for name in judged if number(name) not in prompts]
    if strange:
        card.warnings.append(f"not among the prompts, not scored: {named(strange)}")
    mine = {name: line for name, line in judged.items() if number(name) in prompts}
    other = [name for name, (prompt, *_) in mine.items() if prompt.record != prompts[number(name)].record]
    if other:
        raise UserError(f"judged by other prompts than the annotations have: {named(other)}", "give their annotations")
    return mine


def _is_results(path: Path) -> bool:
    if path.suffix != ".jsonl":
        return False
    lines = read_lines(path)
    return bool(lines) and "filename" in lines[0]


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _prompts(folder: Path, annotations: Path | None, beside: Mapping[int, Prompt]) -> dict[int, Prompt]:
    if annotations is None:
        if beside:
            return dict(beside)
        found = _first(folder, (files.METADATA,)) or _first(folder.parent, (files.METADATA,))
        if found is None:
            raise UserError("the prompts are not with the pictures", f"give --annotations {files.METADATA}")
        return dict(enumerate(files.read_prompts(found)))
    if annotations.is_dir() and not (annotations / files.METADATA).is_file():
        pictures = files.picture_folder(annotations)
        if pictures is not None:
            return files.folder_prompts(pictures)
    prompts = dict(enumerate(files.read_prompts(annotations)))
    other = [n for n, prompt in beside.items() if prompts.get(n, prompt).record != prompt.record]
    if other:
        raise UserError(
            f"the prompts with the pictures are not those of {annotations}: {named([f'{n:05d}' for n in other])}",
            "give the annotations that the pictures were drawn for",
        )
    return prompts
