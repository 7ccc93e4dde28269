"""Declares the commands ``bench`` and ``demo``."""

from __future__ import annotations

from collections.abc import Iterable

from janus_core.hookspecs import CommandSpec, hookimpl

JANUS_HOOK_API: tuple[int, int] = (1, 0)


@hookimpl
def janus_commands() -> Iterable[CommandSpec]:
    """Yield the commands."""
    yield CommandSpec(
        name="bench", summary="measure a model on a benchmark", factory="janus_bench.command:BenchCommand"
    )
    yield CommandSpec(
        name="demo", summary="train the quickstart, measure it, show it", factory="janus_bench.demo:DemoCommand"
    )
