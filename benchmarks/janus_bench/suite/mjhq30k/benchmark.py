"""MJHQ-30K."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from janus_bench.suite.frechet.benchmark import Drawing, FrechetBenchmark, copy_pictures
from janus_bench.suite.frechet.options import FrechetOptions
from janus_bench.suite.mjhq30k.spec import SPEC
from janus_bench.suite.reading import field, read_json
from janus_core.errors import UserError
from janus_core.interfaces import BuildContext

META = "meta_data.json"


def build(options: FrechetOptions, context: BuildContext) -> Mjhq30k:
    """Build the benchmark."""
    return Mjhq30k(options)


class Mjhq30k(FrechetBenchmark):
    """The drawing of a prompt is ``imgs/<category>/<id>.png``, or ``<id>.png`` without folders."""

    spec = SPEC
    subfolders = ("imgs",)

    def asked(self, folder: Path) -> list[Drawing] | None:
        """The prompts of ``meta_data.json`` (any one file whose name ends so), in its order."""
        if folder.is_file():
            return _drawings(folder)
        places = [folder, folder.parent] if folder.name in self.subfolders else [folder]
        found = next((each for place in places if (each := sorted(place.glob(f"*{META}")))), [])
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise UserError(f"{folder} holds several files of categories: {names}", "--set categories=FILE")
        return _drawings(found[0]) if found else None

    def write(self, folder: Path, asked: Sequence[Drawing], pictures: Sequence[Path], flat: bool) -> Path:
        """``imgs/<category>/<id>.png``, as the reference lies (``flat``: no categories), and ``meta_data.json``."""
        places = [folder / "imgs" / ("" if flat else each.category) / f"{each.id}.png" for each in asked]
        copy_pictures(pictures, places)
        meta = {each.id: {"category": each.category, "prompt": each.prompt} for each in asked}
        (folder / META).write_text(json.dumps(meta, indent=1), encoding="utf-8")
        return folder / "imgs"

    def id_of(self, name: str) -> str:
        """The name without its folders and ending."""
        return PurePosixPath(name).stem


def _drawings(path: Path) -> list[Drawing]:
    content = read_json(path)
    if not isinstance(content, dict) or not content:
        raise UserError(f"{path} is not an object of ids", 'expected {"id": {"category": ..., "prompt": ...}, ...}')
    found = []
    for name, record in content.items():
        place = f"{path}, id {name!r}"
        if not isinstance(record, dict):
            raise UserError(f"{place} is {record!r}, not an object", 'expected {"category": ..., "prompt": ...}')
        found.append(Drawing(name, str(record.get("prompt", "")), field(record, "category", str, place)))
    return found
