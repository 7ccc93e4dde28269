"""Reads tables of records, one an item, as Hugging Face data sets lie on disk: Parquet, JSON or JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from janus_bench.suite.reading import read_lines, read_text
from janus_core.errors import UserError


def read_rows(path: Path, pictures: bool = False) -> list[dict[str, Any]]:
    """The records of a file, or of all files of a folder's data set by name (``*.parquet``, else ``*.json*``).

    Args:
        pictures: read the columns of Parquet files that hold bytes, too.

    Raises:
        UserError: there is nothing to read, or a file is damaged.
    """
    if path.is_dir():
        files = sorted(path.rglob("*.parquet")) or sorted([*path.rglob("*.json"), *path.rglob("*.jsonl")])
        if not files:
            raise UserError(f"{path} holds no .parquet, .json or .jsonl file", "give the folder of the data set")
        return [row for file in files for row in read_rows(file, pictures)]
    if path.suffix == ".parquet":
        return _parquet(path, pictures)
    if read_text(path).lstrip()[:1] != "[":
        return read_lines(path)
    return [_object(row, f"{path}, item {number}") for number, row in enumerate(_json(path), 1)]


def _json(path: Path) -> list[Any]:
    try:
        found: list[Any] = json.loads(read_text(path))
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}", "is this the right file, and whole?") from None
    return found


def _object(row: object, place: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise UserError(f"{place} is not a JSON object: {str(row)[:60]}", "one object an item")
    return row


def _parquet(path: Path, pictures: bool) -> list[dict[str, Any]]:
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise UserError(
            f"reading {path} needs the library pyarrow, which cannot be imported ({error})",
            "pip install 'janus-umm[data]'",
        ) from error
    try:
        with parquet.ParquetFile(path) as file:
            names = [f.name for f in file.schema_arrow if pictures or not _bytes(pyarrow, f.type)]
            rows: list[dict[str, Any]] = file.read(columns=names, use_threads=False).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{path} is damaged or no Parquet file ({error})", "fetch it again") from None
    return rows


def _bytes(pyarrow: Any, kind: Any) -> bool:
    """Whether a column holds bytes, or records of bytes and a path, as pictures are stored."""
    types = pyarrow.types
    if types.is_struct(kind):
        return any(_bytes(pyarrow, part.type) for part in kind)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))
