"""``image_captions`` and ``journeydb``: images with captions in JSONL, to describe or to draw."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from janus_core.interfaces import BuildContext, Sample
from janus_file_sources.captioned import caption_sample
from janus_file_sources.options import CaptionOptions
from janus_file_sources.pictures import image_folder, read_image
from janus_file_sources.records import JsonLines, text_of


class ImageCaptions:
    """One sample a line; see `CaptionOptions` for the format."""

    def __init__(self, options: CaptionOptions, folder: Path) -> None:
        self._options = options
        self._records = JsonLines(folder / options.path)
        self._images = image_folder(options.images, folder, self._records.path)

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> Sample:
        options, place = self._options, self._records.place(index)
        record = self._records[index]
        caption = text_of(record, options.caption_key, place)

        def image() -> Image.Image:
            return read_image(self._images / text_of(record, options.image_key, place), place)

        return caption_sample(options, place, caption, image)


def build(options: CaptionOptions, context: BuildContext) -> ImageCaptions:
    """Open the reader; `ValueError` if the file does not exist."""
    return ImageCaptions(options, context.folder)
