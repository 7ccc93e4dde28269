"""Declares COCO-30K. Imports no torch."""

from __future__ import annotations

from janus_bench.suite.frechet.protocols import protocols
from janus_core.hookspecs import BenchmarkSpec

SPEC = BenchmarkSpec(
    name="coco30k",
    summary="FID of drawings of 30,000 captions of COCO val2014",
    factory="janus_bench.suite.coco30k.benchmark:build",
    options="janus_bench.suite.frechet.options:FrechetOptions",
    protocols=protocols("fid-clean-256"),
    tasks=("generation",),
    data="coco_captions.csv (a column Prompt, 30,000 rows) and the pictures val2014/, or their statistics.npz",
    licence="CC-BY-4.0 (COCO captions)",
    paper="arXiv:1405.0312",
)
