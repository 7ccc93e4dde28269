"""Declares MM-Vet."""

from __future__ import annotations

from janus_core.hookspecs import BenchmarkSpec, ProtocolSpec

SPEC = BenchmarkSpec(
    name="mmvet",
    summary="open questions that need several capabilities, graded by a judge",
    factory="janus_bench.suite.mmvet.benchmark:build",
    options="janus_bench.suite.mmvet.options:MMVetOptions",
    protocols=(
        ProtocolSpec(
            name="gpt4",
            summary="mm-vet_evaluator.py: few-shot grading by gpt-4-0613 in steps of 0.1",
            prompts="janus",
        ),
        ProtocolSpec(
            name="gpt4-repaired",
            summary="as gpt4; nan is no grade, answers keep to their cell of the table, every reply is read",
            prompts="janus",
        ),
    ),
    tasks=("understanding",),
    data="mm-vet.json and images/, as in mm-vet.zip",
    licence="Apache-2.0",
    paper="2308.02490",
)
