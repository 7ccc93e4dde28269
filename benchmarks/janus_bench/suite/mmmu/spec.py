"""Declares MMMU."""

from __future__ import annotations

from janus_core.hookspecs import BenchmarkSpec, ProtocolSpec

SPEC = BenchmarkSpec(
    name="mmmu",
    summary="college exam questions in 30 subjects, multiple choice and open",
    factory="janus_bench.suite.mmmu.benchmark:build",
    options="janus_bench.suite.mmmu.options:MMMUOptions",
    protocols=(
        ProtocolSpec(
            name="parse",
            summary="main_parse_and_eval.py; a response without a letter gets the official random one (seed 42)",
            prompts="janus",
        ),
        ProtocolSpec(
            name="evalonly",
            summary="main_eval_only.py; a choice must be the bare letter, nothing is parsed",
            prompts="janus",
        ),
        ProtocolSpec(name="parse-wrong", summary="as parse, but a response without a letter is wrong", prompts="janus"),
        ProtocolSpec(
            name="parse-expected",
            summary="as parse, but a response without a letter is worth what a random letter is on average",
            prompts="janus",
        ),
        ProtocolSpec(
            name="repaired",
            summary="letters in any brackets, whole words, numbers compared to two digits; no letter is wrong",
            prompts="janus",
        ),
    ),
    tasks=("understanding",),
    data="the data set as Hugging Face has it: Parquet files <Subject>/validation-*.parquet, or rows as JSON",
    licence="Apache-2.0",
    paper="2311.16502",
)
