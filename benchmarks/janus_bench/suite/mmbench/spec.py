"""The record of MMBench."""

from __future__ import annotations

from janus_core.hookspecs import BenchmarkSpec, ProtocolSpec

REPAIRED = "; options and answers such as 'None' and 'nan' are texts, and a blank answer means no option"

SPEC = BenchmarkSpec(
    name="mmbench",
    summary="1164 multiple-choice questions (dev-en), each also with its options rotated",
    factory="janus_bench.suite.mmbench.benchmark:build",
    options="janus_bench.suite.mmbench.options:MmbenchOptions",
    protocols=(
        ProtocolSpec(
            name="vanilla",
            summary="each question once, as the Janus papers have it; VLMEvalKit's exact matching",
            prompts="janus",
        ),
        ProtocolSpec(
            name="circular",
            summary="a question is right if every rotation is, as on the leaderboard; VLMEvalKit's exact matching",
            prompts="vlmevalkit",
        ),
        ProtocolSpec(name="vanilla-repaired", summary=f"each question once{REPAIRED}", prompts="janus"),
        ProtocolSpec(name="circular-repaired", summary=f"every rotation must be right{REPAIRED}", prompts="vlmevalkit"),
    ),
    tasks=("understanding",),
    data="one table of MMBench as VLMEvalKit has it (mmbench_dev_en.tsv), its pictures within",
    licence="Apache-2.0",
    paper="arXiv:2307.06281",
)
