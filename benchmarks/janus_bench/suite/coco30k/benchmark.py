"""COCO-30K."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path, PurePosixPath

from janus_bench.suite.coco30k.spec import SPEC
from janus_bench.suite.frechet.benchmark import Drawing, FrechetBenchmark, copy_pictures
from janus_bench.suite.frechet.options import FrechetOptions
from janus_bench.suite.reading import read_text
from janus_core.errors import UserError
from janus_core.interfaces import BuildContext

CAPTIONS, COLUMN = "coco_captions.csv", "Prompt"
LINES = "captions.txt"
"""What LlamaGen's evaluation.py reads beside ``images/``, one caption a picture."""


def build(options: FrechetOptions, context: BuildContext) -> Coco30k:
    """Build the benchmark."""
    return Coco30k(options)


class Coco30k(FrechetBenchmark):
    """The drawing of caption 7 is ``images/000007.png``."""

    spec = SPEC
    subfolders = ("val2014", "images")

    def asked(self, folder: Path) -> list[Drawing] | None:
        """The captions of ``coco_captions.csv``, or of ``captions.txt`` beside the drawings."""
        beside = folder.parent if folder.name in self.subfolders else folder
        if folder.is_file() or (folder / CAPTIONS).is_file():
            captions = _captions(folder if folder.is_file() else folder / CAPTIONS)
        elif (beside / LINES).is_file():
            captions = read_text(beside / LINES).rstrip("\n").split("\n")
        else:
            return None
        return [Drawing(f"{number:06d}", caption) for number, caption in enumerate(captions)]

    def write(self, folder: Path, asked: Sequence[Drawing], pictures: Sequence[Path], flat: bool) -> Path:
        """``images/000000.png`` and ``captions.txt``: what LlamaGen's and GigaGAN's script evaluates."""
        copy_pictures(pictures, [folder / "images" / f"{each.id}.png" for each in asked])
        text = "".join(" ".join(each.prompt.split()) + "\n" for each in asked)
        (folder / LINES).write_text(text, encoding="utf-8")
        return folder / "images"

    def id_of(self, name: str) -> str:
        """The name without its ending."""
        return PurePosixPath(name).stem


def _captions(path: Path) -> list[str]:
    rows = list(csv.DictReader(StringIO(read_text(path))))
    if not rows or COLUMN not in rows[0]:
        raise UserError(f"{path} has no column {COLUMN!r}", "the list of captions of LlamaGen's evaluation")
    empty = [number for number, row in enumerate(rows, 2) if not (row[COLUMN] or "").strip()]
    if empty:
        raise UserError(f"{path}, line {empty[0]}: an empty caption", "give the list whole")
    return [row[COLUMN] for row in rows]
