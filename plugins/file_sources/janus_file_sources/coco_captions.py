"""``coco_captions``: the captions of COCO and data sets in its format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from janus_core.data.mixture import keyed_uniform
from janus_core.interfaces import BadRecord, BuildContext, Sample
from janus_file_sources.captioned import caption_sample
from janus_file_sources.options import CocoOptions
from janus_file_sources.packed_texts import PackedTexts
from janus_file_sources.pictures import image_folder, read_image
from janus_file_sources.records import require_file


class CocoCaptions:
    """One sample a caption, or one a picture; see `CocoOptions`. A record's place is its number in ``annotations``.

    Raises:
        ValueError: there is no such file, it is not JSON, or not of COCO's captions.
    """

    def __init__(self, options: CocoOptions, folder: Path) -> None:
        self._options, self._path = options, folder / options.path
        self._images = image_folder(options.images, folder, self._path)
        images, annotations = _read(self._path)
        number = {image["id"]: i for i, image in enumerate(images) if _is_image(image)}
        self._files = PackedTexts.of(image["file_name"] if _is_image(image) else "" for image in images)
        self._captions = PackedTexts.of(_caption(annotation) for annotation in annotations)
        if annotations and not self._captions.data.size:
            raise ValueError(f"{self._path} holds no captions; COCO's are in captions_*.json, not in instances_*.json")
        # Of each annotation the picture, -1 for one that is not in the file.
        self._image_of = np.array([_image_number(item, number) for item in annotations], dtype=np.int64)
        every = np.arange(len(annotations))
        self._annotations = every if options.captions == "all" else self._one_each(every)

    def __len__(self) -> int:
        return len(self._annotations)

    def __getitem__(self, index: int) -> Sample:
        annotation = int(self._annotations[range(len(self))[index]])
        place = f"{self._path}:annotations[{annotation}]"
        caption = self._captions[annotation]
        if not caption:
            raise BadRecord(place, "'caption' must be a text that is not empty")
        number = int(self._image_of[annotation])

        def image() -> Image.Image:
            if number < 0:
                raise BadRecord(place, "'image_id' is not the id of one of the file's images with a 'file_name'")
            return read_image(self._images / self._files[number], place)

        return caption_sample(self._options, place, caption, image)

    def _one_each(self, every: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of each picture one annotation, chosen by its file's name; all that have no picture, to be told as bad."""
        order = np.argsort(self._image_of, kind="stable")
        numbers, starts = np.unique(self._image_of[order], return_index=True)
        chosen: list[int] = []
        for number, group in zip(numbers, np.split(every[order], starts[1:]), strict=True):
            key = self._files[int(number)] if number >= 0 else ""
            at = int(keyed_uniform("caption", key) * len(group))
            chosen += [int(group[at])] if number >= 0 else group.tolist()
        return np.array(sorted(chosen), dtype=np.int64)


def _read(path: Path) -> tuple[list[Any], list[Any]]:
    require_file(path)
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    lists = [values.get(key) for key in ("images", "annotations")] if isinstance(values, dict) else [None]
    if not all(isinstance(item, list) for item in lists):
        have = ", ".join(values) if isinstance(values, dict) else type(values).__name__
        raise ValueError(
            f"{path} must hold the lists images and annotations, as captions_*.json of COCO; it has: {have}"
        )
    return lists[0], lists[1]  # type: ignore[return-value]


def _is_image(image: Any) -> bool:
    return (
        isinstance(image, dict) and isinstance(image.get("file_name"), str) and isinstance(image.get("id"), int | str)
    )


def _caption(annotation: Any) -> str:
    caption = annotation.get("caption") if isinstance(annotation, dict) else None
    return caption.strip() if isinstance(caption, str) else ""


def _image_number(annotation: Any, number: dict[int | str, int]) -> int:
    identity = annotation.get("image_id") if isinstance(annotation, dict) else None
    return number.get(identity, -1) if isinstance(identity, int | str) else -1


def build(options: CocoOptions, context: BuildContext) -> CocoCaptions:
    """Open the reader; `ValueError` as `CocoCaptions` raises it."""
    return CocoCaptions(options, context.folder)
