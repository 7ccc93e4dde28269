"""Declares the understanding encoder ``tones_encoder`` and the data source ``tones``; imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from janus_core.hookspecs import DataSourceSpec, UnderstandingEncoderSpec, hookimpl

JANUS_HOOK_API: tuple[int, int] = (1, 0)


@hookimpl
def janus_understanding_encoders() -> Iterable[UnderstandingEncoderSpec]:
    """Yield the record of ``tones_encoder``."""
    yield UnderstandingEncoderSpec(
        name="tones_encoder",
        summary="sound of any length -> log-mel spectrogram -> transformer; one token per 80 ms by default",
        factory="janus_tones.encoder:build",
        transform="janus_tones.transform:build_transform",
        options="janus_tones.options:EncoderOptions",
        modality="audio",
        presets={
            "tiny": {"width": 32, "layers": 1, "heads": 2, "weights": "none"},
            "small": {"width": 128, "layers": 4, "heads": 4, "weights": "none"},
        },
        capabilities={"variable_length": True, "x_sample_rate": 16000},
        requires=("torch>=2.5", "safetensors>=0.4"),
        licence="Apache-2.0",
    )


@hookimpl
def janus_data_sources() -> Iterable[DataSourceSpec]:
    """Yield the record of ``tones``."""
    yield DataSourceSpec(
        name="tones",
        summary="synthetic tones of 0.3 to 1.5 s with questions on their pitch and number",
        factory="janus_tones.source:build",
        options="janus_tones.options:SourceOptions",
        tasks=("understanding",),
        presets={"tiny": {"length": 32}},
        licence="Apache-2.0",
    )
