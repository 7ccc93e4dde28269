"""Codebooks: nearest neighbour, straight-through gradient, statistics of use, moving averages."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from janus_conv_vq import quantize
from janus_conv_vq.quantize import LearnedCodebook, MovingCodebook, count_codes, nearest, usage


def test_nearest_is_the_brute_force_minimum_in_any_number_of_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    latents, table = torch.randn(37, 5), torch.randn(11, 5)
    expected = torch.cdist(latents.double(), table.double()).argmin(1)
    assert torch.equal(nearest(latents, table), expected)
    monkeypatch.setattr(quantize, "CELLS", 22)
    assert torch.equal(nearest(latents, table), expected)
    assert nearest(latents[:0], table).shape == (0,)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_nearest_of_other_types_and_under_autocast(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    latents, table = torch.randn(64, 8).to(dtype), torch.randn(32, 8).to(dtype)
    expected = torch.cdist(latents.double(), table.double()).argmin(1)
    assert torch.equal(nearest(latents, table), expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(nearest(latents.float(), table.float()), expected)


@pytest.mark.parametrize("normalised", [False, True])
def test_straight_through_gradient_and_losses(normalised: bool) -> None:
    torch.manual_seed(0)
    codebook = LearnedCodebook(16, 4, normalised=normalised)
    torch.nn.init.normal_(codebook.embedding.weight)
    latents = torch.randn(2, 4, 3, 3, requires_grad=True)
    out = codebook(latents)
    assert out.codes.shape == (2, 9)
    assert out.codes.dtype == torch.int64
    rows = latents.movedim(1, -1).flatten(1, 2)
    rows = F.normalize(rows, dim=-1) if normalised else rows
    assert torch.allclose(out.vectors.flatten(2).transpose(1, 2), codebook.lookup(out.codes), atol=1e-6)
    assert torch.allclose(out.commitment, F.mse_loss(rows, codebook.lookup(out.codes)))
    weight = torch.randn_like(out.vectors)
    (through,) = torch.autograd.grad((out.vectors * weight).sum(), latents, retain_graph=True)
    plain = latents.movedim(1, -1)
    plain = F.normalize(plain, dim=-1) if normalised else plain
    (direct,) = torch.autograd.grad((plain.movedim(-1, 1) * weight).sum(), latents)
    assert torch.allclose(through, direct, atol=1e-6)
    assert out.codebook is not None
    out.codebook.backward()
    assert latents.grad is None
    used = out.codes.unique()
    assert (codebook.embedding.weight.grad[used].abs().sum(1) > 0).all()


def test_usage_counts_codes() -> None:
    told = usage(count_codes(torch.tensor([[0, 1], [2, 3]]), 8))
    assert told["usage"] == 4 / 8
    assert math.isclose(float(told["perplexity"]), 4, rel_tol=1e-6)


def moving(size: int = 8) -> MovingCodebook:
    return MovingCodebook(size, 4, normalised=True, decay=0.9, restart_below=0.1)


def test_moving_codebook_moves_in_training_only() -> None:
    codebook = moving().eval()
    before = {k: v.clone() for k, v in codebook.state_dict().items()}
    codebook(torch.randn(2, 4, 3, 3))
    assert all(torch.equal(before[k], v) for k, v in codebook.state_dict().items())
    codebook.train()
    codebook(torch.randn(2, 4, 3, 3))
    assert bool(codebook.ready)
    assert not torch.equal(before["vectors"], codebook.vectors)
    assert torch.allclose(codebook.vectors.norm(dim=1), torch.ones(8))
    assert list(codebook.parameters()) == []


def test_moving_codebook_never_moves_by_assigning() -> None:
    codebook = moving().train()
    before = codebook.vectors.clone()
    codebook.assign(torch.randn(2, 9, 4))
    assert torch.equal(before, codebook.vectors)


def test_moving_codebook_is_repeatable() -> None:
    tables = []
    for _ in range(2):
        torch.manual_seed(3)
        codebook = moving(64).train()
        for _ in range(3):
            codebook(torch.randn(2, 4, 3, 3))
        tables.append(codebook.vectors.clone())
    assert torch.equal(*tables)


def test_a_dead_code_is_put_onto_a_latent() -> None:
    torch.manual_seed(0)
    codebook = moving().train()
    latents = F.normalize(torch.randn(1, 4, 1, 2), dim=1)
    codebook(latents)
    codebook.vectors[3] = codebook.sums[3] = -latents[0, :, 0, 0]
    codebook.counts[3] = 0.01
    codebook(latents)
    near = (codebook.vectors[3] @ latents[0, :, 0, :]).max()
    assert near > 0.999
    assert codebook.counts[3] == 1


def test_moving_codebook_follows_the_mean_of_its_latents() -> None:
    torch.manual_seed(0)
    codebook = MovingCodebook(2, 2, normalised=False, decay=0.5, restart_below=0.0).train()
    centres = torch.tensor([[3.0, 0.0], [0.0, 5.0]])
    codebook.ready.fill_(True)
    codebook.vectors.copy_(centres + 0.5)
    for _ in range(30):
        codebook(centres.T[None, :, :, None].repeat(4, 1, 1, 1))
    assert torch.allclose(codebook.vectors, centres, atol=1e-3)


def test_restarts_go_where_codes_are_lacking() -> None:
    torch.manual_seed(0)
    codebook = moving().train()
    common, rare = torch.tensor([1.0, 0, 0, 0]), torch.tensor([0, 0, 1.0, 0])
    latents = common[None, :, None, None].repeat(1, 1, 10, 10)
    codebook(latents)
    latents[0, :, 0, 0] = rare
    codebook.counts[5] = 0.01
    codebook(latents)
    assert torch.allclose(codebook.vectors[5], rare, atol=1e-6)


RANKS = """
import sys, torch
from janus_conv_vq.quantize import MovingCodebook
rank, folder = int(sys.argv[1]), sys.argv[2]
torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
torch.manual_seed(0)
codebook = MovingCodebook(16, 4, normalised=True, decay=0.5, restart_below=0.5).train()
torch.manual_seed(rank + 1)
for _ in range(3):
    codebook(torch.randn(2, 4, 3, 3))
torch.save(codebook.state_dict(), f"{folder}/{rank}.pt")
torch.distributed.destroy_process_group()
"""


def test_moving_codebook_is_the_same_on_every_rank(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RANKS]
    running = [subprocess.Popen([*command, str(rank), str(tmp_path)]) for rank in range(2)]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)
