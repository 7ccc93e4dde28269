"""Whether draws of a generation head follow its own losses, under temperature, guidance and filters."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from janus_core.config.choose import load
from janus_core.conformance.check import HEAD, Fault, NotRun, check
from janus_core.conformance.kinds.head import LAYOUT, WIDTH, HeadDrive, noise_of, states
from janus_core.conformance.subject import Subject, perturbed
from janus_core.interfaces import Sampling
from janus_core.model.build import seeded

H = (HEAD,)
ROWS = 32
DRAWS = 4000
FAR = 0.05
"""Largest distance in total variation: 2.5 times what 4000 draws of 11 codes show by chance."""


def head_of_one_codebook(subject: Subject) -> tuple[Any, Tensor]:
    """A head for a layout of one codebook, and the logarithms of the codes' probabilities, [ROWS, K], from its loss."""
    subject.need("forward")
    factory = load(subject.component, subject.component.spec.factory)
    with seeded(0, "part"):
        try:
            made = factory(subject.chosen.options, subject.context(), width=WIDTH, layout=LAYOUT)
        except ValueError as error:
            raise NotRun(f"it takes no layout with one codebook: {error}") from None
    head: Any = perturbed(cast(nn.Module, made)).eval().to(subject.device)
    hidden, size = states(list(range(ROWS))).to(subject.device), LAYOUT.codebooks[0]
    with torch.no_grad():
        rows = [
            [-float(head.loss(h[None], torch.tensor([[code]], device=h.device), LAYOUT)[0]) for code in range(size)]
            for h in hidden
        ]
    return head, torch.tensor(rows)


@check("likelihood", "should", H, "exp(-loss) of all codes of a codebook sums to 1",
       prevents="losses that cannot be compared: of another base, smoothed, or blind for some codes")  # fmt: skip
def likelihood(subject: Subject) -> None:
    _, logs = head_of_one_codebook(subject)
    total = logs.exp().sum(dim=1)
    if float((total - 1).abs().max()) > 1e-3:
        raise Fault(
            f"over the {logs.shape[1]} codes exp(-loss) sums to {float(total[0]):.4g}",
            "give the negative natural logarithm of the code's probability, of every code",
        )


@check("greedy", "must", H, "temperature 0, top_k 1 and a small top_p take the code of the smallest loss",
       prevents="sampling that does not fit what was trained")  # fmt: skip
def greedy(subject: Subject) -> None:
    head, logs = head_of_one_codebook(subject)
    best = logs.argmax(dim=1).tolist()
    for sampling in (
        Sampling(temperature=0.0),
        Sampling(temperature=3.0, top_k=1),
        Sampling(temperature=3.0, top_p=1e-6),
    ):
        chosen = _sampled(subject, head, list(range(ROWS)), sampling)
        if chosen != best:
            raise Fault(
                f"{_words(sampling)} takes the codes {chosen}, the likeliest are {best}",
                "temperature 0 takes the argmax; top_k keeps the k likeliest, top_p the smallest set that reaches p",
            )


@check("guidance", "must", H, "guidance is free + guidance * (conditional - free), conditional rows first",
       prevents="pictures that ignore their caption, or flee it")  # fmt: skip
def guidance(subject: Subject) -> None:
    head, logs = head_of_one_codebook(subject)
    half = ROWS // 2
    for weight in (0.5, 2.0, 5.0):
        sampling = Sampling(temperature=0.0, guidance=weight)
        best = (logs[half:] + weight * (logs[:half] - logs[half:])).argmax(dim=1).tolist()
        chosen = _sampled(subject, head, list(range(ROWS)), sampling)
        if len(chosen) != half:
            raise Fault(f"{ROWS} rows with guidance give {len(chosen)} codes", f"give {half}, one for each pair")
        if chosen != best:
            raise Fault(
                f"with guidance {weight:g} the codes are {chosen}, those of its own losses are {best}",
                "free + guidance * (conditional - free), conditional rows first, then free rows",
            )


@check("draws", "must", H, "draws are as frequent as the losses say, at every temperature",
       prevents="pictures that are too wild or too dull for what was trained")  # fmt: skip
def draws(subject: Subject) -> str:
    head, logs = head_of_one_codebook(subject)
    worst = 0.0
    for temperature in (0.5, 1.0, 3.0):
        found = _sampled(subject, head, [0] * DRAWS, Sampling(temperature=temperature))
        share = torch.bincount(torch.tensor(found), minlength=logs.shape[1]) / DRAWS
        gap = 0.5 * float((share - (logs[0] / temperature).softmax(dim=0)).abs().sum())
        if gap > FAR:
            raise Fault(
                f"at temperature {temperature:g} the frequencies of {DRAWS} draws are {gap:.2f} from its losses'",
                "add the noise as it is to logits / temperature, and take the argmax",
            )
        worst = max(worst, gap)
    return f"distance {worst:.3f}"


@check("codebooks_drawn", "must", H, "the noise of every codebook is asked for by its number",
       prevents="codes of one position that are drawn alike")  # fmt: skip
def codebooks_drawn(subject: Subject) -> None:
    subject.need("forward")
    head: Any = subject.module
    sizes = cast(HeadDrive, subject.drive).layout.codebooks
    hidden = states([0, 1]).to(subject.device)
    noise, asked = noise_of([0, 1], hidden.device), set()

    def told(codebook: int, size: int) -> Tensor:
        asked.add((codebook, size))
        found: Tensor = noise(codebook, size)
        return found

    with torch.no_grad():
        head.sample(hidden, told, Sampling())
    wanted = set(enumerate(sizes))
    if asked != wanted:
        raise Fault(
            f"it asks for the noise of (codebook, size) {sorted(asked)}, its codebooks are {sorted(wanted)}",
            "noise(c, K) for codebook c of size K",
        )


def _sampled(subject: Subject, head: Any, keys: list[int], sampling: Sampling) -> list[int]:
    hidden = states(keys).to(subject.device)
    count = len(keys) if sampling.guidance == 1 else len(keys) // 2
    with torch.no_grad():
        found = head.sample(hidden, noise_of(list(range(count)), hidden.device), sampling)
    codes: list[int] = found[:, 0].tolist()
    return codes


def _words(sampling: Sampling) -> str:
    filters = [
        f"{name} {getattr(sampling, name):g}" for name in ("top_k", "top_p") if getattr(sampling, name) not in (0, 1.0)
    ]
    return " with ".join([f"temperature {sampling.temperature:g}", *filters])
