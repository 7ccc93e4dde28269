"""Declares GenEval. Imports no torch."""

from __future__ import annotations

from janus_core.hookspecs import BenchmarkSpec, ProtocolSpec

SPEC = BenchmarkSpec(
    name="geneval",
    summary="drawings of 553 prompts, judged by an object detector and a colour classifier",
    factory="janus_bench.suite.geneval.benchmark:build",
    options="janus_bench.suite.geneval.options:GenEvalOptions",
    protocols=(
        ProtocolSpec(
            name="official",
            summary="as evaluate_images.py and summary_scores.py: pictures that are missing leave the denominators",
        ),
        ProtocolSpec(
            name="repaired",
            summary="missing pictures are wrong, prompts are counted by their line, equal confidences keep their order",
        ),
        ProtocolSpec(
            name="rewritten",
            summary="official judging of drawings of longer prompts that a language model wrote; not comparable",
        ),
    ),
    tasks=("generation",),
    data="evaluation_metadata.jsonl, and for geneval@rewritten also rewritten_prompts.txt, a prompt a line",
    licence="MIT",
    paper="arXiv:2310.11513",
)
