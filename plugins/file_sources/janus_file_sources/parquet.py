"""``parquet``: rows of Parquet files as Hugging Face writes them, read in any order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from janus_core.data.mixture import keyed_uniform
from janus_core.errors import UserError
from janus_core.interfaces import BadRecord, BuildContext, Sample
from janus_file_sources.captioned import caption_sample
from janus_file_sources.opened import Opened
from janus_file_sources.options import ParquetOptions
from janus_file_sources.paths import find_files
from janus_file_sources.pictures import read_image

if TYPE_CHECKING:
    import pyarrow as pa

OPEN_FILES = 16
"""An open file holds its footer, which grows with its row groups and columns."""


class ParquetRows:
    """One sample a row; see `ParquetOptions`. Rows are counted from 0, as viewers of these files count them.

    Raises:
        UserError: pyarrow is not installed.
        ValueError: a file is missing or no Parquet file, or lacks a column, or a column is of a type without use here.
    """

    def __init__(self, options: ParquetOptions, folder: Path) -> None:
        self._options = options
        self._files = find_files(options.path, folder)
        self._columns = [options.caption_column, *([options.image_column] if options.task != "text" else [])]
        groups: list[tuple[int, int, int]] = []
        rows: list[int] = []
        for number, path in enumerate(self._files):
            sizes = self._group_sizes(path)
            before = np.cumsum([0, *sizes])
            groups += [(number, group, int(before[group])) for group in range(len(sizes))]
            rows += sizes
        self._groups = np.array(groups, dtype=np.int64).reshape(-1, 3)  # file, row group in it, first row of that
        self._ends = np.cumsum(rows, dtype=np.int64)
        self._open_files: Opened[int, Any] = Opened(OPEN_FILES)
        self._open_groups: Opened[int, pa.Table] = Opened(options.row_groups)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, index: int) -> Sample:
        index = range(len(self))[index]
        group = int(np.searchsorted(self._ends, index, side="right"))
        file, _, first_row = (int(value) for value in self._groups[group])
        at = index - (int(self._ends[group - 1]) if group else 0)
        place = f"{self._files[file]}:row {first_row + at}"
        table = self._open_groups.get(group, lambda: self._read(group, place))
        if at >= table.num_rows:
            raise BadRecord(place, "the file changed since the run began; start again (--resume)")
        caption = self._caption(table[self._options.caption_column][at].as_py(), first_row + at, place)

        def image() -> Image.Image:
            return read_image(self._picture(table[self._options.image_column][at].as_py(), place), place)

        return caption_sample(self._options, place, caption, image)

    def _caption(self, value: object, row: int, place: str) -> str:
        if isinstance(value, list) and value:
            # By the place in the data, not by chance: a row is the same at any time and in any process.
            value = value[int(keyed_uniform("caption", place.rpartition("/")[2], row) * len(value))]
        if not isinstance(value, str) or not value.strip():
            raise BadRecord(
                place, f"{self._options.caption_column!r} must be a text that is not empty, is {value!r:.80}"
            )
        return value.strip()

    def _picture(self, value: object, place: str) -> bytes:
        found = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(found, bytes):
            path = f" (path {value['path']!r})" if isinstance(value, dict) and value.get("path") else ""
            raise BadRecord(
                place, f"{self._options.image_column!r} holds no bytes{path}: the picture is not in the file"
            )
        return found

    def _group_sizes(self, path: Path) -> list[int]:
        """Rows of each row group of a file whose columns are right."""
        pa, pq = _pyarrow()
        try:
            with pq.ParquetFile(path) as file:
                schema, metadata = file.schema_arrow, file.metadata
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"{path} is damaged or no Parquet file ({error}); fetch it again") from error
        for option, column in (
            ("caption_column", self._options.caption_column),
            ("image_column", self._options.image_column),
        ):
            if column not in self._columns:
                continue
            if column not in schema.names:
                raise ValueError(f"{path} has no column {column!r}; set {option} to one of: {', '.join(schema.names)}")
            kind = schema.field(column).type
            if not (_is_caption(kind) if option == "caption_column" else _is_picture(kind)):
                wanted = "text or lists of text" if option == "caption_column" else "bytes or {bytes, path}"
                raise ValueError(f"{path}: column {column!r} is of type {kind}, not {wanted}; set {option} to another")
        return [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]

    def _read(self, group: int, place: str) -> pa.Table:
        pa, pq = _pyarrow()
        number, inside, _ = (int(value) for value in self._groups[group])
        try:
            file = self._open_files.get(number, lambda: pq.ParquetFile(self._files[number]))
            # Arrow's own threads: a loader worker is one of many processes already.
            return file.read_row_group(inside, columns=self._columns, use_threads=False)
        except (pa.ArrowException, OSError, IndexError) as error:
            raise BadRecord(place, f"the row group cannot be read: {error}") from error


def _is_caption(kind: pa.DataType) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind) or types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        kind = kind.value_type
    return any(is_kind(kind) for is_kind in (types.is_string, types.is_large_string, types.is_string_view))


def _is_picture(kind: pa.DataType) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        return any(field.name == "bytes" and _is_picture(field.type) for field in kind)
    return any(is_kind(kind) for is_kind in (types.is_binary, types.is_large_binary, types.is_binary_view))


def _pyarrow() -> tuple[Any, Any]:
    """The modules ``pyarrow`` and ``pyarrow.parquet``; they are an extra, so nothing is imported before a file is."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UserError(
            f"reading Parquet files needs the library pyarrow, which cannot be imported ({error})",
            "pip install 'janus-umm[data]'",
        ) from error
    return pyarrow, pyarrow.parquet


def build(options: ParquetOptions, context: BuildContext) -> ParquetRows:
    """Open the reader; `ValueError` and `UserError` as `ParquetRows` raises them."""
    return ParquetRows(options, context.folder)
