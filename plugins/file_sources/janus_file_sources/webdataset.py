"""``webdataset``: pictures and captions in tar shards, read in any order."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from janus_core.interfaces import BadRecord, BuildContext, Sample
from janus_file_sources.captioned import caption_sample
from janus_file_sources.opened import Opened
from janus_file_sources.options import WebDatasetOptions
from janus_file_sources.packed_texts import PackedTexts
from janus_file_sources.paths import find_files
from janus_file_sources.pictures import read_image
from janus_file_sources.records import parse_object, text_of
from janus_file_sources.tar_index import ShardIndex, shard_index

OPEN_SHARDS = 64
"""A process may have 1024 files open, the usual limit, for all that it does."""


class WebDataset:
    """One sample a key; see `WebDatasetOptions`.

    Raises:
        ValueError: a shard is missing, compressed or damaged, no index can be written, or no sample has what the task
            needs.
    """

    def __init__(self, options: WebDatasetOptions, folder: Path) -> None:
        self._options = options
        self._shards = find_files(options.path, folder)
        index_folder = folder / options.index if options.index is not None else None
        # The first use of a large set takes minutes: 10 000 samples of three members about a second.
        waiting = tqdm(self._shards, "indexes of shards", disable=None, delay=5, leave=False)
        indexes = [shard_index(shard, index_folder) for shard in waiting]
        self._signatures = [index.signature for index in indexes]
        self._ends = np.cumsum([len(index.keys) for index in indexes])
        self._keys = PackedTexts.joined([index.keys for index in indexes])
        self._captions = _Members(indexes, ["txt" if options.caption_key is None else "json"])
        self._pictures = _Members(indexes, options.extensions)
        self._opened: Opened[int, _Shard] = Opened(OPEN_SHARDS)
        self._check(indexes)

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, index: int) -> Sample:
        index = range(len(self))[index]
        shard = int(np.searchsorted(self._ends, index, side="right"))
        place = f"{self._shards[shard]}:{self._keys[index]}"
        caption = self._caption(self._bytes(self._captions, index, shard, place), place)

        def image() -> Image.Image:
            return read_image(self._bytes(self._pictures, index, shard, place), place)

        return caption_sample(self._options, place, caption, image)

    def _caption(self, data: bytes, place: str) -> str:
        if self._options.caption_key is not None:
            return text_of(parse_object(data, f"{place}.json"), self._options.caption_key, f"{place}.json")
        try:
            text = data.decode("utf-8-sig").strip()
        except UnicodeDecodeError as error:
            raise BadRecord(f"{place}.txt", f"not UTF-8: {error}") from error
        if not text:
            raise BadRecord(f"{place}.txt", "the caption is empty")
        return text

    def _bytes(self, members: _Members, index: int, shard: int, place: str) -> bytes:
        start, size = (int(value) for value in members.spans[index])
        if start < 0:
            raise BadRecord(place, f"the sample has no member {members.names}")
        try:
            file = self._opened.get(shard, lambda: _Shard(self._shards[shard], self._signatures[shard]))
            return file.read(start, size)
        except OSError as error:
            raise BadRecord(place, f"the shard cannot be read: {error.strerror or error}") from error

    def _check(self, indexes: Sequence[ShardIndex]) -> None:
        """Refuse options that fit no sample at all: the extensions that there are name the mistake."""
        wanted = [(self._captions, "caption_key: a key of the captions in `.json`, or none for `.txt`")]
        if self._options.task != "text":
            wanted.append((self._pictures, "extensions: what follows the first dot of the pictures' names"))
        for members, option in wanted:
            if len(self) and not (members.spans[:, 0] >= 0).any():
                there = sorted({extension for index in indexes for extension in index.extensions})
                raise ValueError(
                    f"no sample has a member {members.names}; the members' names end in "
                    f"{', '.join(f'.{name}' for name in there[:20])}; set {option}"
                )


class _Members:
    """Of each sample the member with the first of these extensions that it has.

    Attributes:
        names: the extensions, for messages.
        spans: int64 [N, 2]: first byte in the shard and size in bytes; -1 where a sample has none.
    """

    def __init__(self, indexes: Sequence[ShardIndex], extensions: Sequence[str]) -> None:
        wanted = [extension.lower().lstrip(".") for extension in extensions]
        self.names = " or ".join(f".{extension}" for extension in wanted)
        self.spans = np.concatenate([_spans(index, wanted) for index in indexes])


def _spans(index: ShardIndex, wanted: Sequence[str]) -> NDArray[np.int64]:
    spans = np.full((len(index.keys), 2), -1, dtype=np.int64)
    there = list(index.extensions)
    for extension in reversed(wanted):  # the first of them is written last and stays
        if extension in there:
            rows = index.members[index.members[:, 1] == there.index(extension)]
            spans[rows[:, 0]] = rows[:, 2:]
    return spans


class _Shard:
    """An open shard, read by position, so that processes and threads may share the file."""

    def __init__(self, path: Path, signature: tuple[int, int]) -> None:
        self._signature = signature
        self._file = os.open(path, os.O_RDONLY)

    def read(self, start: int, size: int) -> bytes:
        """Bytes of the shard that was indexed; `OSError` if this is another one by now."""
        status = os.fstat(self._file)
        if (status.st_size, status.st_mtime_ns) != self._signature:
            raise OSError("it changed since the run began; start again (--resume), which indexes it anew")
        data = os.pread(self._file, size, start)
        if len(data) < size:
            raise OSError(f"it gave {len(data)} of the {size} bytes at byte {start}")
        return data

    def __del__(self) -> None:
        if hasattr(self, "_file"):  # opening may have failed
            os.close(self._file)


def build(options: WebDatasetOptions, context: BuildContext) -> WebDataset:
    """Open the reader and index the shards that have no index; `ValueError` as `WebDataset` raises it."""
    return WebDataset(options, context.folder)
