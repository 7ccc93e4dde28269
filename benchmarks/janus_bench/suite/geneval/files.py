"""GenEval's files: prompts, folders of pictures, results."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from janus_bench.suite.reading import field, read_lines, read_text
from janus_core.errors import UserError

METADATA = "evaluation_metadata.jsonl"
IMAGE = re.compile(r"(?:^|/)(\d+)/samples/(\d+\.png[^/]*)$")
"""The official script takes folders of digits, and files that begin with digits and ``.png``."""
RELATIONS = ("left of", "right of", "above", "below")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A line of ``evaluation_metadata.jsonl``.

    Attributes:
        tag: the kind of prompt; the overall score is the mean of the kinds.
        text: what to draw.
        record: the whole line.
    """

    tag: str
    text: str
    record: dict[str, Any]

    @property
    def key(self) -> str:
        """What the official summary groups pictures by: prompts with equal lines are one."""
        return json.dumps(self.record)


def read_prompts(path: Path) -> list[Prompt]:
    """The prompts of ``evaluation_metadata.jsonl``, or of a folder that holds it.

    Raises:
        UserError: malformed; the line is named.
    """
    if path.is_dir():
        if not (path / METADATA).is_file():
            raise UserError(f"{path} holds no {METADATA}", "give that file of the GenEval repository")
        path = path / METADATA
    prompts = [check_prompt(record, f"{path}, prompt {number}") for number, record in enumerate(read_lines(path))]
    if not prompts:
        raise UserError(f"{path} holds no prompt", "give GenEval's file, whole")
    return prompts


def check_prompt(record: dict[str, Any], place: str) -> Prompt:
    """A prompt of its JSON.

    Raises:
        UserError: it cannot be judged; ``place`` is named.
    """
    tag, text = field(record, "tag", str, place), field(record, "prompt", str, place)
    for part in ("include", "exclude"):
        for number, clause in enumerate(field(record, part, list, place) if part in record else ()):
            _check_clause(clause, number, f"{place}, {part} {number}")
    return Prompt(tag, text, record)


def _check_clause(clause: Any, number: int, place: str) -> None:
    if not isinstance(clause, dict):
        raise UserError(f"{place} is {clause!r}, not an object", "is this GenEval's file?")
    field(clause, "class", str, place)
    if field(clause, "count", int, place) < 1:
        raise UserError(f"{place}: 'count' is {clause['count']}", "a count of at least 1")
    if "color" in clause:
        field(clause, "color", str, place)
    if "position" in clause:
        position = field(clause, "position", list, place)
        if len(position) != 2 or position[0] not in RELATIONS or position[1] not in range(number):
            allowed = f"[one of {', '.join(RELATIONS)}; the number of an earlier object]"
            raise UserError(f"{place}: 'position' is {position}, not {allowed}", "is this GenEval's file?")


def image_id(name: str) -> tuple[str, int] | None:
    """``(00000/samples/0000.png, 0)``: the id of a picture in any path, and its prompt; None if it is none."""
    match = IMAGE.search(name.replace("\\", "/"))
    return (f"{match[1]}/samples/{match[2]}", int(match[1])) if match else None


def picture_id(prompt: int, sample: int) -> str:
    """The id of a picture."""
    return f"{prompt:05d}/samples/{sample:04d}.png"


def picture_folder(folder: Path) -> Path | None:
    """``folder`` or its ``images``, whichever holds folders of pictures in the official layout; None if none does."""
    for each in (folder, folder / "images"):
        if each.is_dir() and any(_is_prompt(child) for child in each.iterdir()):
            return each
    return None


def pictures_of(folder: Path) -> dict[str, Path]:
    """Id -> file of all pictures in the official layout, in order."""
    found = {}
    for samples in sorted(child / "samples" for child in folder.iterdir() if _is_prompt(child)):
        for path in sorted(samples.iterdir()) if samples.is_dir() else ():
            known = image_id("/".join(path.parts[-3:]))
            if known is not None and path.is_file():
                found[known[0]] = path
    return found


def folder_prompts(folder: Path) -> dict[int, Prompt]:
    """The prompts that lie with the pictures, by number.

    Raises:
        UserError: a folder has none, or it is malformed.
    """
    found = {}
    for child in sorted(filter(_is_prompt, folder.iterdir())):
        path = child / "metadata.jsonl"
        try:
            record = json.loads(read_text(path))
        except ValueError as error:
            raise UserError(f"{path} is not JSON: {error}", "one JSON object, as the official layout has") from None
        if not isinstance(record, dict):
            raise UserError(f"{path} is not a JSON object", "one JSON object, as the official layout has")
        found[int(child.name)] = check_prompt(record, str(path))
    return found


def _is_prompt(folder: Path) -> bool:
    return folder.is_dir() and folder.name.isdecimal()


def write_layout(folder: Path, prompts: Sequence[Prompt], pictures: Iterable[tuple[int, int, Path]]) -> None:
    """Write ``folder/00000/metadata.jsonl`` and ``samples/0000.png``: what the official script evaluates.

    Args:
        prompts: the first prompts of the benchmark.
        pictures: prompt, number among the pictures of the prompt, PNG file.
    """
    for number, prompt in enumerate(prompts):
        (folder / f"{number:05d}" / "samples").mkdir(parents=True, exist_ok=True)
        (folder / f"{number:05d}" / "metadata.jsonl").write_text(json.dumps(prompt.record), encoding="utf-8")
    for number, sample, path in pictures:
        shutil.copyfile(path, folder / picture_id(number, sample))


def write_lines(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Write JSON lines, as ``evaluation_metadata.jsonl`` and ``results.jsonl`` have them."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
