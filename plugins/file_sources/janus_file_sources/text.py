"""``text_jsonl``: plain text, one record a line."""

from __future__ import annotations

from pathlib import Path

from janus_core.interfaces import BuildContext, Message, Sample
from janus_file_sources.options import TextOptions
from janus_file_sources.records import JsonLines, text_of


class TextLines:
    """One sample a line; the loss is taken on all of it."""

    def __init__(self, options: TextOptions, folder: Path) -> None:
        self._options, self._records = options, JsonLines(folder / options.path)

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> Sample:
        place = self._records.place(index)
        text = text_of(self._records[index], self._options.text_key, place)
        return Sample(place, "text", (Message("plain", (text,)),))


def build(options: TextOptions, context: BuildContext) -> TextLines:
    """Open the reader; `ValueError` if the file does not exist."""
    return TextLines(options, context.folder)
