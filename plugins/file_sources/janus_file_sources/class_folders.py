"""``class_folders``: a folder of pictures for each class, as ImageNet is laid out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from janus_core.interfaces import BuildContext, Sample
from janus_file_sources.captioned import caption_sample
from janus_file_sources.class_names import class_names
from janus_file_sources.options import ClassFolderOptions
from janus_file_sources.packed_texts import PackedTexts
from janus_file_sources.pictures import read_image

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
"""Endings of the files that are samples, in lower case."""


class ClassFolders:
    """One sample a picture, in the order of class folders and paths; the class is its caption.

    Raises:
        ValueError: there is no such folder, it holds no folders or they hold no pictures, or a class has no name.
    """

    def __init__(self, options: ClassFolderOptions, folder: Path) -> None:
        self._options, self._root = options, folder / options.path
        if not self._root.is_dir():
            raise ValueError(f"{self._root} {'is not a folder' if self._root.exists() else 'does not exist'}")
        folders = sorted(entry.name for entry in os.scandir(self._root) if entry.is_dir() and entry.name[0] != ".")
        names = folder / options.names if options.names is not None else None
        self._names = class_names(names, folders, options.synonyms)
        files = [list(_pictures(self._root, name)) for name in folders]
        self._ends = np.cumsum([len(found) for found in files], dtype=np.int64)
        self._files = PackedTexts.of(file for found in files for file in found)
        if not len(self._files):
            raise ValueError(
                f"{self._root} holds no pictures in folders of classes, such as {self._root}/tench/1.jpg; "
                f"there are {len(folders)} folders, and files ending in {', '.join(sorted(PICTURES))} count"
            )

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Sample:
        index = range(len(self))[index]
        path = self._root / self._files[index]
        place = str(path).encode("utf-8", "replace").decode()  # a name that is not UTF-8 can be opened, not printed
        name = self._names[int(np.searchsorted(self._ends, index, side="right"))]

        def image() -> Image.Image:
            return read_image(path, place)

        return caption_sample(self._options, place, name, image)


def _pictures(root: Path, name: str) -> Iterator[str]:
    """Paths, relative to the root, of the pictures at any depth in a class folder."""
    found = (
        os.path.relpath(os.path.join(folder, file), root)
        for folder, _, files in os.walk(root / name)
        for file in files
        if file[0] != "." and os.path.splitext(file)[1].lower() in PICTURES
    )
    return iter(sorted(found))


def build(options: ClassFolderOptions, context: BuildContext) -> ClassFolders:
    """Open the reader; `ValueError` as `ClassFolders` raises it."""
    return ClassFolders(options, context.folder)
