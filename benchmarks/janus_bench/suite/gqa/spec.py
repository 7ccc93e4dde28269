"""Declares GQA."""

from __future__ import annotations

from janus_core.hookspecs import BenchmarkSpec, ProtocolSpec

SPEC = BenchmarkSpec(
    name="gqa",
    summary="compositional questions about photographs; exact answers",
    factory="janus_bench.suite.gqa.benchmark:build",
    options="janus_bench.suite.gqa.options:GQAOptions",
    protocols=(
        ProtocolSpec(
            name="llava",
            summary="eval.py v1.2; answers lose their last dots and their capitals, as LLaVA converts them",
            prompts="llava",
        ),
        ProtocolSpec(name="raw", summary="eval.py v1.2 on the answers as they are", prompts="llava"),
        ProtocolSpec(
            name="repaired",
            summary="both sides without capitals, outer spaces, outer punctuation and wide letters",
            prompts="llava",
        ),
    ),
    tasks=("understanding",),
    data="testdev_balanced_questions.json, images/<imageId>.jpg and, if at hand, testdev_balanced_choices.json",
    licence="CC-BY-4.0",
    paper="1902.09506",
)
