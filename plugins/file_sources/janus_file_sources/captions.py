"""``image_captions``: images with captions in JSONL, to describe or to draw."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from janus_core.data.images import ImageError, load_image
from janus_core.interfaces import BadRecord, BuildContext, Given, Message, Sample, Target
from janus_file_sources.options import CaptionOptions
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
        image = read_image(self._images / text_of(record, options.image_key, place), place)
        if options.task == "generation":
            asked, said = Message("user", (caption,)), Message("assistant", (Target(image),))
        else:
            asked = Message("user", (Given(options.route, image), f"\n{options.instruction}"))
            said = Message("assistant", (caption,))
        return Sample(place, options.task, (asked, said))


def image_folder(images: str | None, folder: Path, file: Path) -> Path:
    """The folder that image paths are relative to."""
    return folder / images if images is not None else file.parent


def read_image(path: Path, place: str) -> Image.Image:
    """An image of a record; a file that is none makes the record bad."""
    try:
        return load_image(path)
    except ImageError as error:
        raise BadRecord(place, str(error)) from error


def build(options: CaptionOptions, context: BuildContext) -> ImageCaptions:
    """Open the reader; `ValueError` if the file does not exist."""
    return ImageCaptions(options, context.folder)
