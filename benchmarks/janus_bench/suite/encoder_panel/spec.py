"""Declares the benchmark ``encoder_panel``."""

from __future__ import annotations

from janus_core.hookspecs import BenchmarkSpec, ProtocolSpec

SPEC = BenchmarkSpec(
    name="encoder_panel",
    summary="features of the understanding encoder: nearest neighbours and a linear probe",
    factory="janus_bench.suite.encoder_panel.benchmark:build",
    options="janus_bench.suite.encoder_panel.options:EncoderPanelOptions",
    protocols=(ProtocolSpec(name="probes", summary="mean of a picture's feature tokens, encoder frozen"),),
    tasks=("understanding",),
    data="train/<class>/ and test/<class>/ with pictures",
    paper="k-NN as arXiv:2104.14294, section 4.1 (arXiv:1805.01978)",
)
