"""patch_vq: small, learns in seconds, its codebook is frozen in eval."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from janus_conv_vq.options import VQLosses
from janus_conv_vq.pretrain import begin
from janus_core.interfaces import BuildContext
from janus_patch_vq.model import PatchVQ, build
from janus_patch_vq.options import PatchVQOptions
from janus_patch_vq.plugin import janus_generation_tokenizers

(SPEC,) = janus_generation_tokenizers()
LOSSES = VQLosses(absolute=1, perceptual=0, adversarial=0)


def smooth(count: int, side: int = 32) -> torch.Tensor:
    coarse = torch.rand(count, 3, 4, 4) * 2 - 1
    return F.interpolate(coarse, size=side, mode="bicubic", align_corners=False).clamp(-1, 1)


def train(steps: int) -> tuple[PatchVQ, list[dict[str, float]]]:
    torch.manual_seed(0)
    tokenizer = build(PatchVQOptions(**SPEC.presets["tiny"]), BuildContext()).train()
    pictures = smooth(64)
    training = begin(tokenizer, LOSSES, BuildContext())
    optimizer = torch.optim.AdamW(training.optimizer_groups(), lr=3e-3)
    told = []
    for step in range(steps):
        losses = training.losses({"inputs": pictures[torch.randperm(64)[:16]], "captions": []}, step)
        optimizer.zero_grad()
        losses["loss"].backward()
        optimizer.step()
        told.append({key: float(value.detach()) for key, value in losses.items()})
    return tokenizer, told


def test_learns() -> None:
    tokenizer, told = train(30)
    assert told[-1]["loss"] < 0.5 * told[0]["loss"]
    assert told[-1]["psnr"] > told[0]["psnr"] + 2
    assert told[-1]["usage"] > 8 / 64
    assert told[-1]["perplexity"] > 4
    assert bool(tokenizer.quantize.ready)


def test_training_is_repeatable() -> None:
    (first, _), (second, _) = train(4), train(4)
    assert all(torch.equal(first.state_dict()[key], value) for key, value in second.state_dict().items())


def test_codebook_is_frozen_in_eval() -> None:
    tokenizer, _ = train(2)
    tokenizer.eval()
    before = {key: value.clone() for key, value in tokenizer.state_dict().items()}
    begin(tokenizer, LOSSES, BuildContext()).losses({"inputs": smooth(4), "captions": []}, 0)
    tokenizer.decode(tokenizer.encode(smooth(4)), tokenizer.layout(32))
    assert all(torch.equal(before[key], value) for key, value in tokenizer.state_dict().items())


def test_codebook_is_not_for_the_optimiser_but_in_the_checkpoint() -> None:
    tokenizer, _ = train(1)
    assert not any("quantize" in name for name, _ in tokenizer.named_parameters())
    assert {f"quantize.{name}" for name in ("vectors", "counts", "sums", "ready")} <= set(tokenizer.state_dict())


def test_quickstart_fits_in_four_megabytes_of_fp16(tmp_path: Path) -> None:
    tokenizer = build(PatchVQOptions(weights="none", **SPEC.presets["quickstart"]), BuildContext()).eval()
    half = {k: v.half() if v.is_floating_point() else v for k, v in tokenizer.state_dict().items()}
    save_file(half, tmp_path / "w.safetensors")
    assert (tmp_path / "w.safetensors").stat().st_size <= 4_000_000
    options = PatchVQOptions(**{**SPEC.presets["quickstart"], "weights": "w.safetensors"})
    read = build(options, BuildContext(folder=tmp_path)).eval()
    assert next(read.parameters()).dtype == torch.float32
    assert read.layout(64).positions == 64
    pixels = smooth(2, 64)
    assert (read.encode(pixels) == tokenizer.encode(pixels)).float().mean() > 0.9
