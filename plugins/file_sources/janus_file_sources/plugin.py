"""Declares the data sources ``image_captions``, ``llava`` and ``text_jsonl``."""

from __future__ import annotations

from collections.abc import Iterable

from janus_core.hookspecs import DataSourceSpec, hookimpl

JANUS_HOOK_API: tuple[int, int] = (1, 0)


@hookimpl
def janus_data_sources() -> Iterable[DataSourceSpec]:
    """Yield the records of the file readers."""
    yield DataSourceSpec(
        name="image_captions",
        summary="images with captions in a JSONL file, to describe or to draw",
        factory="janus_file_sources.captions:build",
        options="janus_file_sources.options:CaptionOptions",
        tasks=("understanding", "generation"),
        licence="Apache-2.0",
    )
    yield DataSourceSpec(
        name="llava",
        summary="conversations about images, in LLaVA's JSON format",
        factory="janus_file_sources.llava:build",
        options="janus_file_sources.options:LlavaOptions",
        tasks=("understanding",),
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
