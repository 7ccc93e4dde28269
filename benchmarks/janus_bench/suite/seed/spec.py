"""The record of SEED-Bench."""

from __future__ import annotations

from janus_core.hookspecs import BenchmarkSpec, ProtocolSpec

REPAIRED = "; the answer's letter or option is found by VLMEvalKit's matching, as the Janus authors ran it"

SPEC = BenchmarkSpec(
    name="seed",
    summary="19242 multiple-choice questions (SEED-Bench v1): 14233 about pictures, 5009 about videos, 12 types",
    factory="janus_bench.suite.seed.benchmark:build",
    options="janus_bench.suite.seed.options:SeedOptions",
    protocols=(
        ProtocolSpec(
            name="letter-img",
            summary="the part about pictures, which the Janus papers print; an answer must be the letter",
            prompts="janus",
        ),
        ProtocolSpec(
            name="letter", summary="all questions; an answer must be the letter, as LLaVA scores it", prompts="llava"
        ),
        ProtocolSpec(name="letter-img-repaired", summary=f"the part about pictures{REPAIRED}", prompts="janus"),
        ProtocolSpec(name="letter-repaired", summary=f"all questions{REPAIRED}", prompts="llava"),
        ProtocolSpec(
            name="likelihood",
            summary="all questions; the option whose text has the smallest mean loss a token, the first of equals",
            prompts="question",
        ),
        ProtocolSpec(
            name="likelihood-img",
            summary="the part about pictures; the option whose text has the smallest mean loss a token",
            prompts="question",
        ),
    ),
    tasks=("understanding",),
    data="SEED-Bench.json, the pictures SEED-Bench-image/<data_id> and, for all questions, the middle frames of the "
    "videos SEED-Bench-video-image/<question_type_id>_<question_id>.png (LLaVA's extract_video_frames.py)",
    licence="CC-BY-NC-4.0",
    paper="arXiv:2307.16125",
)
