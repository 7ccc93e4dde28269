"""Declares the benchmark ``tokenizer_panel``."""

from __future__ import annotations

from janus_core.hookspecs import BenchmarkSpec, ProtocolSpec

SPEC = BenchmarkSpec(
    name="tokenizer_panel",
    summary="reconstructions of the generation tokenizer: PSNR, SSIM, rFID, use of the codebook",
    factory="janus_bench.suite.tokenizer_panel.benchmark:build",
    options="janus_bench.suite.tokenizer_panel.options:TokenizerPanelOptions",
    protocols=(ProtocolSpec(name="reconstruction", summary="pictures as the tokenizer's own transform crops them"),),
    tasks=("generation",),
    data="a folder of pictures, in any folders below it",
)
