"""Declares VQAv2."""

from __future__ import annotations

from janus_core.hookspecs import BenchmarkSpec, ProtocolSpec

SPEC = BenchmarkSpec(
    name="vqav2",
    summary="open questions about photographs; accuracy against the answers of ten people",
    factory="janus_bench.suite.vqav2.benchmark:build",
    options="janus_bench.suite.vqav2.options:VQAv2Options",
    protocols=(
        ProtocolSpec(
            name="llava-normalised",
            summary="official scorer; raw answers first go through LLaVA's copy of the EvalAI answer processor",
            prompts="llava",
        ),
        ProtocolSpec(name="raw", summary="official scorer on the answers as they are", prompts="llava"),
        ProtocolSpec(
            name="repaired",
            summary="both sides always normalised, every full stop removed, an answer without words is wrong",
            prompts="llava",
        ),
    ),
    tasks=("understanding",),
    data="v2_OpenEnded_mscoco_val2014_questions.json, v2_mscoco_val2014_annotations.json, val2014/COCO_val2014_*.jpg",
    licence="CC-BY-4.0 (annotations)",
    paper="1612.00837",
)
