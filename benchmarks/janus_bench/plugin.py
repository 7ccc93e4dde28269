"""Declares the benchmarks of the papers and the commands ``bench``, ``demo`` and ``study``."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from janus_core.hookspecs import BenchmarkSpec, CommandSpec, hookimpl

JANUS_HOOK_API: tuple[int, int] = (1, 0)

SUITE: tuple[str, ...] = (
    *("pope", "mme", "mmbench", "seed", "vqav2", "gqa", "mmmu", "mmvet"),
    *("geneval", "coco30k", "mjhq30k"),
    *("tokenizer_panel", "encoder_panel"),
)
"""The packages of ``janus_bench.suite``: understanding, generation, the parts of a model by themselves."""


@hookimpl
def janus_benchmarks() -> Iterable[BenchmarkSpec]:
    """Yield the ``SPEC`` of each package."""
    for name in SUITE:
        yield import_module(f"janus_bench.suite.{name}.spec").SPEC


@hookimpl
def janus_commands() -> Iterable[CommandSpec]:
    """Yield the commands."""
    yield CommandSpec(
        name="bench", summary="measure a model on a benchmark", factory="janus_bench.command:BenchCommand"
    )
    yield CommandSpec(
        name="demo", summary="train the quickstart, measure it, show it", factory="janus_bench.demo:DemoCommand"
    )
    yield CommandSpec(
        name="study",
        summary="vary a recipe along axes and seeds, compare the results",
        factory="janus_bench.study.command:StudyCommand",
    )
