"""Losses and draws of generation heads."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from janus_core.conformance.check import HEAD, Fault, check
from janus_core.conformance.kinds.head import HeadDrive, noise_of, states
from janus_core.conformance.subject import Subject
from janus_core.interfaces import Sampling

H = (HEAD,)


def _batch(subject: Subject) -> tuple[Any, Tensor, Tensor, Any]:
    subject.need("forward")
    batch = subject.batch()
    return subject.module, batch["hidden"], batch["codes"], cast(HeadDrive, subject.drive).layout


@check("loss_count", "must", H, "the loss is a sum over positions, with their number",
       prevents="a normalisation over ranks and accumulation that is wrong")  # fmt: skip
def loss_count(subject: Subject) -> None:
    head, hidden, codes, layout = _batch(subject)
    with torch.no_grad():
        total, count = head.loss(hidden, codes, layout)
        parts = [head.loss(hidden[i : i + 1], codes[i : i + 1], layout)[0] for i in range(len(hidden))]
        nothing, none = head.loss(hidden[:0], codes[:0], layout)
    if isinstance(count, bool) or not isinstance(count, int):
        raise Fault(f"the count is a {type(count).__name__}", "give an int: the number of positions")
    if int(count) != len(hidden):
        raise Fault(f"the count is {int(count)} for {len(hidden)} positions", "give the number of positions")
    if total.ndim or abs(float(total) - float(sum(parts))) > 1e-3 * abs(float(total)) + 1e-5:
        raise Fault(
            f"the loss of {len(hidden)} positions is {total.tolist()}, their own losses sum to {float(sum(parts)):.4g}",
            "sum over positions (reduction='sum'), do not average",
        )
    if int(none) != 0 or float(nothing) != 0:
        raise Fault(f"no position gives the loss {float(nothing)} and the count {int(none)}", "give 0 and 0")


@check("sample_range", "must", H, "samples are int64 [rows, C], each in its codebook",
       prevents="codes that the tokenizer refuses")  # fmt: skip
def sample_range(subject: Subject) -> None:
    head, _, _, layout = _batch(subject)
    keys = list(range(64))
    hidden = states(keys).to(subject.device)
    with torch.no_grad():
        found = head.sample(hidden, noise_of(keys, hidden.device), Sampling(temperature=3.0))
    if found.dtype != torch.int64 or list(found.shape) != [64, len(layout.codebooks)]:
        raise Fault(
            f"sample gives {str(found.dtype)[6:]} {list(found.shape)}", f"give int64 [64, {len(layout.codebooks)}]"
        )
    for c, size in enumerate(layout.codebooks):
        low, high = int(found[:, c].min()), int(found[:, c].max())
        if low < 0 or high >= size:
            raise Fault(f"codebook {c} has {size} codes, but {low} to {high} are drawn", "draw from 0 to K - 1")


@check("keyed_noise", "must", H, "draws depend on the given noise, and on nothing else",
       prevents="pictures that depend on the batch that they are drawn in")  # fmt: skip
def keyed_noise(subject: Subject) -> None:
    head, _, _, _ = _batch(subject)
    keys = list(range(64))
    hidden, warm = states(keys).to(subject.device), Sampling(temperature=3.0)
    found = []
    with torch.no_grad():
        for seed, torch_seed in ((5, 1), (5, 2), (6, 1)):
            torch.manual_seed(torch_seed)
            found.append(head.sample(hidden, noise_of(keys, hidden.device, seed), warm))
    if not torch.equal(found[0], found[1]):
        raise Fault("the same noise gives other codes: it draws noise of its own", "use noise(codebook, size) only")
    if torch.equal(found[0], found[2]):
        raise Fault("other noise gives the same codes at temperature 3", "add noise(codebook, size) to the logits")
