"""Options of the file readers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Captions = Literal["understanding", "generation", "text"]


class Options(BaseModel):
    """What the options of all readers have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FileOptions(Options):
    """Readers of one file."""

    path: str = Field(description="the file, relative to the recipe")


class FilesOptions(Options):
    """Readers of many files."""

    path: str | Annotated[list[str], Field(min_length=1)] = Field(
        description="the files, relative to the recipe: a path, a pattern (`*`, `?`, `[0-9]`, `**`, `{000..123}`, "
        "`{a,b}`), or a list of these"
    )


class RouteOptions(Options):
    """Readers of images to understand."""

    route: str = Field(default="image", description="understanding route that the images go through")


class ImageFileOptions(RouteOptions, FileOptions):
    """Readers of a file that names images."""

    images: str | None = Field(
        default=None, description="folder that image paths are relative to; default: the file's own"
    )


class CaptionTaskOptions(RouteOptions):
    """Readers of images with captions."""

    task: Captions = Field(
        description="understanding: describe the image; generation: draw it from its caption; text: the caption alone"
    )
    instruction: str = Field(
        default="Describe the image in detail.",
        description="what is asked before a description (Janus, section 3.2); empty: the image alone, as in Janus' "
        "stage I",
    )


class CaptionOptions(CaptionTaskOptions, ImageFileOptions):
    """Options of ``image_captions``: lines such as ``{"image": "cat.jpg", "caption": "a cat on a sofa"}``."""

    image_key: str = Field(default="image", description="key of the image's path; `a.b` is the key b in the object a")
    caption_key: str = Field(default="caption", description="key of the caption; `a.b` is the key b in the object a")


class JourneyOptions(CaptionOptions):
    """Options of ``journeydb``: lines such as ``{"img_path": "./000/x.jpg", "prompt": …, "Task2": {"Caption": …}}``."""

    image_key: str = Field(default="img_path", description="key of the image's path")
    caption_key: str = Field(
        default="prompt", description="key of the caption: `prompt`, or `Task2.Caption` for the description"
    )


class LlavaOptions(ImageFileOptions):
    """Options of ``llava``: ``[{"id": …, "image": …, "conversations": [{"from": "human", "value": …}, …]}, …]``."""

    task: Literal["understanding", "text"] = Field(
        default="understanding", description="text: conversations without images; only the answers are learned"
    )


class TextOptions(FileOptions):
    """Options of ``text_jsonl``: lines such as ``{"text": "…"}``."""

    text_key: str = Field(default="text", description="key of the text; `a.b` is the key b in the object a")


class WebDatasetOptions(CaptionTaskOptions, FilesOptions):
    """Options of ``webdataset``: tar shards in which ``000.jpg`` and ``000.txt`` (or ``000.json``) are a sample."""

    extensions: tuple[str, ...] = Field(
        default=("jpg", "jpeg", "png", "webp"),
        min_length=1,
        description="what follows the first dot of a picture's name; a sample's picture is the first of these it has",
    )
    caption_key: str | None = Field(
        default=None,
        description="key of the caption in the sample's `.json` (`a.b`: b in the object a); default: its `.txt` is it",
    )
    index: str | None = Field(
        default=None,
        description="folder of the shards' indexes, relative to the recipe; default: beside each shard",
    )


class ParquetOptions(CaptionTaskOptions, FilesOptions):
    """Options of ``parquet``: files as Hugging Face writes them, pictures inside."""

    image_column: str = Field(
        default="image", description="column of the pictures: `{bytes, path}` as Hugging Face has it, or bytes"
    )
    caption_column: str = Field(
        default="caption",
        description="column of the captions: a text, or a list of texts, of which a row always gives the same one",
    )
    row_groups: int = Field(
        default=2, ge=1, description="how many row groups each process holds in memory; reading one row reads its group"
    )


class ClassFolderOptions(RouteOptions):
    """Options of ``class_folders``: ``root/<class>/<file>``, as ImageNet is laid out."""

    path: str = Field(description="the folder that holds one folder a class, relative to the recipe")
    task: Literal["understanding", "generation"] = Field(
        description="understanding: name the class of the picture; generation: draw a picture of the class"
    )
    names: str | None = Field(
        default=None,
        description="file of the classes' names, relative to the recipe: lines `n01440764 tench, Tinca tinca`, or JSON "
        "`{folder: name}` or `{number: [folder, name]}`; default: the folders' own names; `_` becomes a space",
    )
    synonyms: Literal["first", "all"] = Field(
        default="first", description="of names with commas in them take the part before the first comma, or all"
    )
    instruction: str = Field(
        default="", description="what is asked of the picture; empty: the picture alone, as in Janus' stage I"
    )


class CocoOptions(CaptionTaskOptions, ImageFileOptions):
    """Options of ``coco_captions``: ``{"images": [{"id", "file_name"}], "annotations": [{"image_id", "caption"}]}``."""

    captions: Literal["all", "one"] = Field(
        default="all", description="all: every caption is a sample; one: every picture is, always with the same caption"
    )
