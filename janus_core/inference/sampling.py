"""Logits -> ids: temperature, top-k, top-p and keyed noise; texts and codes share it."""

from __future__ import annotations

import torch
from torch import Tensor

from janus_core.interfaces import Sampling


def choose_ids(logits: Tensor, noise: Tensor | None, sampling: Sampling) -> Tensor:
    """float [R, K] and Gumbel noise [R, K] (not needed at temperature 0) -> int64 [R].

    The logits are divided by the temperature, then cut to the top k, then to the smallest set whose probability
    reaches top p; ``argmax(logits + Gumbel noise)`` is a draw from their softmax.
    """
    if sampling.temperature == 0:
        return logits.argmax(-1)
    assert noise is not None
    tempered = logits.float() / sampling.temperature
    if 0 < sampling.top_k < tempered.shape[-1]:
        smallest = tempered.topk(sampling.top_k).values[:, -1:]
        tempered = tempered.masked_fill(tempered < smallest, -torch.inf)
    if sampling.top_p < 1:
        ordered, order = tempered.sort(dim=-1, descending=True)
        before = ordered.softmax(-1).cumsum(-1) - ordered.softmax(-1)
        outside = torch.zeros_like(before, dtype=torch.bool).scatter(-1, order, before >= sampling.top_p)
        tempered = tempered.masked_fill(outside, -torch.inf)
    return (tempered + noise).argmax(-1)
