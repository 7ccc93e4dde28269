"""Padding in adapters."""

from __future__ import annotations

import torch

from janus_core.conformance.check import ADAPTER, Exempt, Fault, check
from janus_core.conformance.kinds.encoder import features_of, real_tokens
from janus_core.conformance.subject import Subject
from janus_core.conformance.tree import distance
from janus_core.interfaces import Features


@check("token_order", "should", (ADAPTER,), "where as many tokens come out as go in, each stands for its own",
       prevents="positions that are given to the wrong tokens")  # fmt: skip
def token_order(subject: Subject) -> str:
    subject.need("forward")
    tokens = subject.batch().tokens[:1]
    count = tokens.shape[1]
    if subject.module.num_tokens(count) != count:  # type: ignore[operator]
        raise Exempt(f"{count} tokens do not stay {count}")
    changed = tokens.repeat(count, 1, 1)
    for index in range(count):
        changed[index, index] += 3 * torch.sin(torch.arange(tokens.shape[-1], device=tokens.device))
    with torch.no_grad():
        plain, found = (features_of(subject.module, Features(x)).tokens for x in (tokens, changed))
    strongest = (found - plain).norm(dim=-1).argmax(dim=1).tolist()
    wrong = [index for index, other in enumerate(strongest) if index != other]
    if wrong:
        raise Fault(f"token {wrong[0]} of {count} changes most the token {strongest[wrong[0]]} that comes out",
                    "keep the order of the tokens")  # fmt: skip
    return f"{count} tokens"


@check("padding", "must", (ADAPTER,), "what stands at masked tokens changes no real one",
       prevents="answers that depend on the longest input of the batch")  # fmt: skip
def padding(subject: Subject) -> None:
    subject.need("forward")
    tokens = subject.batch().tokens
    mask = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
    mask[0, 10:] = False
    other = torch.where(mask[..., None], tokens, tokens.new_tensor(7.0))
    with torch.no_grad():
        try:
            found = [real_tokens(features_of(subject.module, Features(x.clone(), mask))) for x in (tokens, other)]
        except ValueError as error:
            raise Exempt(f"it refuses a mask: {error}") from None
    with torch.no_grad():
        given = features_of(subject.module, Features(tokens.clone(), mask)).mask
    if given is None and subject.module.num_tokens(tokens.shape[1]) == tokens.shape[1]:  # type: ignore[operator]
        raise Fault(
            "it drops the mask: padding counts as real tokens after it", "return Features(tokens, features.mask)"
        )
    if given is not None and given.shape == mask.shape and not torch.equal(given, mask):
        raise Fault("the mask that it gives is not the one that it was given", "carry the mask along")
    if distance(*found) > 1e-5:
        raise Fault("another value at masked tokens changes the real ones", "mask the keys, or carry the mask along")
