"""Two ways to read classes from frozen features; neither draws a random number."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

STEPS = 200
"""Iterations of L-BFGS at most; the probe is convex."""


def nearest(
    train: Tensor, labels: Tensor, test: Tensor, *, classes: int, neighbours: int, temperature: float
) -> Tensor:
    """The class int64 [M] of each test row by the votes of its most alike training rows.

    A neighbour of cosine similarity s votes with exp(s / temperature) (Wu et al. 2018, as DINO).

    Args:
        train: float [N, D], ``labels`` int64 [N]; ``test``: [M, D].
        neighbours: at most N are asked.
    """
    likeness = F.normalize(test.double(), dim=1) @ F.normalize(train.double(), dim=1).T
    best, places = likeness.topk(min(neighbours, len(train)), dim=1)
    # less the largest: exp(1 / 0.07) squared would still fit, that of a smaller temperature not
    votes = ((best - best[:, :1]) / temperature).exp()
    counted = torch.zeros(len(test), classes, dtype=votes.dtype).scatter_add_(1, labels[places], votes)
    return counted.argmax(1)


def linear(train: Tensor, labels: Tensor, test: Tensor, *, classes: int, l2: float) -> Tensor:
    """The class int64 [M] of each test row by multinomial logistic regression on standardised features.

    Minimises mean cross-entropy + l2 / 2 * squared weights (the bias is free), from zero, by L-BFGS.
    """
    mean, deviation = train.double().mean(0), train.double().std(0, correction=0).clamp(min=1e-6)
    rows, others = ((part.double() - mean) / deviation for part in (train, test))
    weight = torch.zeros(classes, rows.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = F.cross_entropy(rows @ weight.T + bias, labels) + l2 / 2 * weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        return (others @ weight.T + bias).argmax(1)
