"""Padding in adapters."""

from __future__ import annotations

import torch

from janus_core.conformance.check import ADAPTER, Exempt, Fault, check
from janus_core.conformance.kinds.encoder import features_of, real_tokens
from janus_core.conformance.subject import Subject
from janus_core.conformance.tree import distance
from janus_core.interfaces import Features


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
    if distance(*found) > 1e-5:
        raise Fault("another value at masked tokens changes the real ones", "mask the keys, or carry the mask along")
