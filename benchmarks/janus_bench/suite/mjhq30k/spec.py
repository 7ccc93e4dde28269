"""Declares MJHQ-30K. Imports no torch."""

from __future__ import annotations

from janus_bench.suite.frechet.protocols import protocols
from janus_core.hookspecs import BenchmarkSpec

SPEC = BenchmarkSpec(
    name="mjhq30k",
    summary="FID of drawings of 30,000 prompts, overall and for ten categories",
    factory="janus_bench.suite.mjhq30k.benchmark:build",
    options="janus_bench.suite.frechet.options:FrechetOptions",
    protocols=protocols("fid-clean"),
    tasks=("generation",),
    data="meta_data.json and the pictures imgs/<category>/<id>.jpg, or their features.npz",
    licence="see the data set (playgroundai/MJHQ-30K)",
    paper="arXiv:2402.17245",
)
