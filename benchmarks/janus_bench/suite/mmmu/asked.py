"""What MMMU asks: prompts and pictures of the data set's rows."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from janus_bench.suite.mmmu.files import HIDDEN, Item, item_of
from janus_bench.suite.mmmu.subjects import SUBJECTS
from janus_bench.suite.reading import field
from janus_bench.suite.rows import read_rows
from janus_core.errors import UserError
from janus_core.interfaces import Question

PICTURES = 7


def read_split(data: Path, split: str, pictures: bool = False) -> list[tuple[Item, dict[str, Any]]]:
    """The rows of a split, in the official order of subjects.

    Raises:
        UserError: the folder has no file of the split, or a row of an unknown subject.
    """
    files = sorted(data.rglob(f"{split}*.parquet"))
    files = files or sorted([*data.rglob(f"{split}*.json"), *data.rglob(f"{split}*.jsonl")])
    if not files:
        raise UserError(f"{data} holds no {split}*.parquet and no {split}*.json", "give --data the data set's folder")
    rows = [
        (item_of(row, f"{file}, row {number}"), row | {"folder": file.parent})
        for file in files
        for number, row in enumerate(read_rows(file, pictures), 1)
    ]
    for item, _ in rows:
        if item.subject not in SUBJECTS:
            raise UserError(f"{data}: {item.id} is of no subject of MMMU", f"ids are {split}_<Subject>_<number>")
    return sorted(rows, key=lambda pair: SUBJECTS.index(pair[0].subject))


def question_of(item: Item, row: Mapping[str, Any], style: str, kept: Path | None) -> Question:
    """The prompt and the pictures of a row.

    Args:
        style: ``janus``: VLMEvalKit's prompt for Janus, every picture first; ``llava``: llava1.5.yaml as YAML reads it
            (a blank line of the file is one line feed), the first picture only.
        kept: where pictures that lie in the rows are written to; None: they are opened at once.
    """
    text = field(row, "question", str, item.id)
    pairs = (item.options or {}).items()
    last = "Answer with the option's letter from the given choices directly."
    if style == "llava" and item.is_choice:
        text += "\n" + "".join(f"({letter}) {option}\n" for letter, option in pairs) + "\n" + last
    elif style == "llava":
        text += "\nAnswer the question using a single word or phrase."
    elif pairs:
        text += "\n" + "".join(f"{letter}. {option}\n" for letter, option in pairs) + "\n" + last
    else:
        text += "\nAnswer the question directly. "
    found = [row.get(f"image_{number}") for number in range(1, PICTURES + 1)]
    given = [_picture(one, f"{item.id}_{n}", row, kept) for n, one in enumerate(found, 1) if one is not None]
    return Question(item.id, text, tuple(given[:1] if style == "llava" else given))


def hidden(item: Item) -> bool:
    """Whether the answer is not in the row."""
    return item.truth == (HIDDEN,)


def _picture(value: Any, name: str, row: Mapping[str, Any], kept: Path | None) -> Any:
    if isinstance(value, str):
        return Path(row["folder"]) / value
    content = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(content, bytes):
        raise UserError(f"{name}: the row holds no bytes of the picture", "fetch the data set with its pictures")
    if kept is None:
        from PIL import Image

        return Image.open(io.BytesIO(content)).convert("RGB")
    kept.mkdir(parents=True, exist_ok=True)
    path = kept / f"{name}.png"
    if not path.is_file() or path.stat().st_size != len(content):
        path.write_bytes(content)
    return path
