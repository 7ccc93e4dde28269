"""The protocols of FID: how pictures are prepared. Imports no torch."""

from __future__ import annotations

from janus_core.hookspecs import ProtocolSpec

SUMMARIES = {
    "fid-clean-256": "clean-fid after the middle squares of both sets were resized to 256 (GigaGAN, LlamaGen)",
    "fid-clean": "clean-fid in mode clean, all files of both folders",
    "fid-legacy": "clean-fid in mode legacy_pytorch",
    "fid-pytorch": "pytorch-fid: bilinear without antialiasing, only files in the folder itself",
    "fid-torchmetrics": "torchmetrics since 1.9: bilinear with antialiasing",
}
PREPARATIONS = {
    "fid-clean-256": "crop256-clean",
    "fid-clean": "clean",
    "fid-legacy": "clean-legacy",
    "fid-pytorch": "pytorch-fid",
    "fid-torchmetrics": "torchmetrics",
}
"""Protocol -> `janus_bench.features.preprocess.Preparation`."""


def protocols(default: str) -> tuple[ProtocolSpec, ...]:
    """All of them, ``default`` first."""
    names = sorted(SUMMARIES, key=lambda name: name != default)
    return tuple(ProtocolSpec(name=name, summary=SUMMARIES[name]) for name in names)
