"""Declares the data sources that read a user's files."""

from __future__ import annotations

from collections.abc import Iterable

from janus_core.hookspecs import DataSourceSpec, hookimpl

JANUS_HOOK_API: tuple[int, int] = (1, 0)
CAPTIONS = ("understanding", "generation", "text")
"""Tasks of the readers of captions."""


@hookimpl
def janus_data_sources() -> Iterable[DataSourceSpec]:
    """Yield the records of the file readers."""
    yield DataSourceSpec(
        name="image_captions",
        summary="images with captions in a JSONL file",
        factory="janus_file_sources.captions:build",
        options="janus_file_sources.options:CaptionOptions",
        tasks=CAPTIONS,
        licence="Apache-2.0",
    )
    yield DataSourceSpec(
        name="llava",
        summary="conversations, about images or in text alone, in LLaVA's JSON format",
        factory="janus_file_sources.llava:build",
        options="janus_file_sources.options:LlavaOptions",
        tasks=("understanding", "text"),
        licence="Apache-2.0",
        paper="arXiv:2304.08485",
    )
    yield DataSourceSpec(
        name="text_jsonl",
        summary="plain text, one record a line",
        factory="janus_file_sources.text:build",
        options="janus_file_sources.options:TextOptions",
        tasks=("text",),
        licence="Apache-2.0",
    )
    yield DataSourceSpec(
        name="journeydb",
        summary="images with prompts in JSONL files as JourneyDB has them",
        factory="janus_file_sources.captions:build",
        options="janus_file_sources.options:JourneyOptions",
        tasks=CAPTIONS,
        licence="Apache-2.0",
        paper="arXiv:2307.00716",
    )
    yield DataSourceSpec(
        name="coco_captions",
        summary="the captions of COCO and data sets in its JSON format",
        factory="janus_file_sources.coco_captions:build",
        options="janus_file_sources.options:CocoOptions",
        tasks=CAPTIONS,
        licence="Apache-2.0",
        paper="arXiv:1504.00325",
    )
    yield DataSourceSpec(
        name="class_folders",
        summary="a folder of pictures for each class, as ImageNet is laid out",
        factory="janus_file_sources.class_folders:build",
        options="janus_file_sources.options:ClassFolderOptions",
        tasks=("understanding", "generation"),
        licence="Apache-2.0",
    )
    yield DataSourceSpec(
        name="webdataset",
        summary="images with captions in tar shards (WebDataset), indexed, so that they are read in any order",
        factory="janus_file_sources.webdataset:build",
        options="janus_file_sources.options:WebDatasetOptions",
        tasks=CAPTIONS,
        licence="Apache-2.0",
    )
    yield DataSourceSpec(
        name="parquet",
        summary="images with captions in Parquet files as Hugging Face writes them (extra: data)",
        factory="janus_file_sources.parquet:build",
        options="janus_file_sources.options:ParquetOptions",
        tasks=CAPTIONS,
        licence="Apache-2.0",
    )
