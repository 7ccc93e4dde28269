"""Data sets of seven pictures, number i of grey level 10 i, in each format that is read."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from janus_core.config.recipe import ComponentChoice
from janus_core.data.sources import build_source

COUNT = 7


def png(level: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 3), (level, level, level)).save(out, "PNG")
    return out.getvalue()


def caption(number: int) -> str:
    return f"größe {number} 画"


def write_shard(path: Path, members: Mapping[str, bytes] | Sequence[tuple[str, bytes]], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, data in members.items() if isinstance(members, Mapping) else members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def write_pictures(folder: Path) -> None:
    (folder / "pictures").mkdir(exist_ok=True)
    for i in range(COUNT):
        (folder / "pictures" / f"bild-ä{i}.png").write_bytes(png(10 * i))


def webdataset(folder: Path) -> dict[str, Any]:
    for shard, numbers in enumerate((range(3), range(3, 4), range(4, COUNT))):
        members = {}
        for i in numbers:
            members |= {f"ordner/ö{i}.png": png(10 * i), f"ordner/ö{i}.txt": f" {caption(i)}\n".encode()}
        write_shard(folder / f"{shard:03}.tar", members)
    return {"path": "{000..002}.tar"}


def parquet(folder: Path) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name, numbers in (("a", range(4)), ("b", range(4, COUNT))):
        rows = {
            "image": [{"bytes": png(10 * i), "path": f"{i}.png"} for i in numbers],
            "caption": [caption(i) for i in numbers],
            "other": [b"x" * 50 for _ in numbers],
        }
        pq.write_table(pa.table(rows), folder / f"{name}.parquet", row_group_size=2)
    return {"path": "*.parquet"}


def coco_captions(folder: Path) -> dict[str, Any]:
    write_pictures(folder)
    images = [{"id": 100 + i, "file_name": f"bild-ä{i}.png"} for i in range(COUNT)]
    annotations = [{"id": i, "image_id": 100 + i, "caption": caption(i)} for i in range(COUNT)]
    text = json.dumps({"info": {}, "images": images[::-1], "annotations": annotations})
    (folder / "captions_val.json").write_text(text, encoding="utf-8")
    return {"path": "captions_val.json", "images": "pictures"}


def journeydb(folder: Path) -> dict[str, Any]:
    write_pictures(folder)
    records = [{"img_path": f"./bild-ä{i}.png", "prompt": caption(i)} for i in range(COUNT)]
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    return {"path": "train.jsonl", "images": "pictures"}


def class_folders(folder: Path) -> dict[str, Any]:
    lines = []
    for i in range(COUNT):
        (folder / "train" / f"n0{i}").mkdir(parents=True)
        (folder / "train" / f"n0{i}" / f"bild-ä{i}.PNG").write_bytes(png(10 * i))
        lines.append(f"n0{i} {caption(i)}, another name")
    (folder / "names.txt").write_text("\n".join(lines), encoding="utf-8")
    return {"path": "train", "names": "names.txt"}


FORMATS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "webdataset": webdataset,
    "parquet": parquet,
    "coco_captions": coco_captions,
    "journeydb": journeydb,
    "class_folders": class_folders,
}


class Desk:
    """Writes data sets in a folder and opens readers on it."""

    count, formats = COUNT, tuple(FORMATS)
    png, caption, write_shard = staticmethod(png), staticmethod(caption), staticmethod(write_shard)

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, kind: str) -> dict[str, Any]:
        """Write the seven pictures in this format; the options that read them."""
        return FORMATS[kind](self.folder)

    def open(self, kind: str, **options: Any) -> Any:
        return build_source(ComponentChoice(type=kind, options=options), "sources.mine", self.folder)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
