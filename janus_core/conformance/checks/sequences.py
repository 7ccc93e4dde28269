"""Language models: who sees whom, the cache, the vocabulary, the blocks."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from janus_core.conformance.check import LANGUAGE_MODEL, Fault, check
from janus_core.conformance.kinds.language_model import LENGTH, VOCABULARY, ids_of, plain_layout
from janus_core.conformance.subject import Subject
from janus_core.conformance.tree import distance
from janus_core.interfaces import SequenceLayout

L = (LANGUAGE_MODEL,)
CLOSE = 1e-4


@check("causal", "must", L, "a token changes its own and later states, none before",
       prevents="a model that reads the answer while it is trained")  # fmt: skip
def causal(subject: Subject) -> None:
    subject.need("forward")
    model: Any = subject.module
    at = LENGTH // 2
    with torch.no_grad():
        embeds = model.embed(ids_of(0)[None].to(subject.device))
        other = embeds.clone()
        other[:, at] = embeds[:, at].flip(-1) + 1
        first, second = (model(x, plain_layout(1, LENGTH)) for x in (embeds, other))
    if distance(first[:, :at], second[:, :at]) > CLOSE:
        raise Fault(f"changing token {at} changes states before it", "mask the future (is_causal=True)")
    for name, states in (("its own state", slice(at, at + 1)), ("the last state", slice(-1, None))):
        if distance(first[:, states], second[:, states]) == 0:
            raise Fault(f"changing token {at} does not change {name}", "let each token see itself and all before")


@check("packed", "must", L, "packed samples do not see each other",
       prevents="answers that leak between samples of a batch (nanoVLM, unsloth)")  # fmt: skip
def packed(subject: Subject) -> None:
    subject.need("forward")
    model: Any = subject.module
    lengths = (4, 5)
    positions = torch.cat([torch.arange(n) for n in lengths])[None]
    with torch.no_grad():
        embeds = model.embed(ids_of(1, sum(lengths))[None].to(subject.device))
        together = model(embeds, SequenceLayout(positions, lengths))
        alone = [model(part, plain_layout(1, part.shape[1])) for part in embeds.split(lengths, dim=1)]
    gap = distance(together, torch.cat(alone, dim=1))
    if gap > CLOSE:
        raise Fault(
            f"packed together, samples differ from alone by {gap:.2g} of the largest value",
            "attend within layout.lengths only, and take layout.positions",
        )


@check("cache", "must", L, "with a cache, piece by piece, the states are those of one pass",
       prevents="answers that differ from what was trained")  # fmt: skip
def cache(subject: Subject) -> None:
    subject.need("forward")
    model: Any = subject.module
    with torch.no_grad():
        embeds = model.embed(torch.stack([ids_of(2), ids_of(3)]).to(subject.device))
        whole = model(embeds, plain_layout(2, LENGTH))
        held, parts = model.new_cache(2, LENGTH + 2), []
        for start, end in ((0, 4), (4, 5), (5, LENGTH)):
            positions = torch.arange(start, end).expand(2, -1).contiguous()
            parts.append(model(embeds[:, start:end].contiguous(), SequenceLayout(positions), held))
    gap = distance(whole, torch.cat(parts, dim=1))
    if gap > CLOSE:
        raise Fault(
            f"with a cache the states differ from one pass by {gap:.2g} of the largest value",
            "store keys at layout.positions and let position p see the keys 0 to p",
        )


@check("resize", "must", L, "resizing the vocabulary keeps the rows that stay",
       prevents="a trained embedding that is drawn anew when a special token is added")  # fmt: skip
def resize(subject: Subject) -> None:
    subject.need("forward")
    model: Any = subject.fresh()
    ids = ids_of(4).clamp(max=VOCABULARY - 6).to(subject.device)
    with torch.no_grad():
        before = model.embed(ids).clone()
        hidden = model(before[None], plain_layout(1, LENGTH))
        logits = model.text_logits(hidden)[..., : VOCABULARY - 5].clone()
        for size in (VOCABULARY + 5, VOCABULARY - 5):
            model.resize_vocabulary(size)
            if model.vocabulary != size or model.text_logits(hidden).shape[-1] != size:
                raise Fault(
                    f"after resize_vocabulary({size}) vocabulary is {model.vocabulary} with "
                    f"{model.text_logits(hidden).shape[-1]} text logits",
                    "resize the embedding and the text head, and set vocabulary",
                )
            kept = model.text_logits(hidden)[..., : VOCABULARY - 5]
            if distance(model.embed(ids), before) or distance(kept, logits) > 1e-6:
                raise Fault(f"resize_vocabulary({size}) changes rows that stay", "copy the rows that stay")


@check("blocks", "must", L, "blocks() are the registered submodules that the forward runs, first to last",
       prevents="sharding and gradient checkpointing that have no effect")  # fmt: skip
def blocks(subject: Subject) -> str:
    subject.need("forward")
    model: Any = subject.fresh()
    found = list(model.blocks())
    if not found or not all(isinstance(block, nn.Module) for block in found):
        raise Fault(f"blocks() gives {[type(block).__name__ for block in found]}", "give the transformer blocks")
    registered = {id(part) for part in model.modules()}
    if any(id(block) not in registered for block in found) or any(block is model for block in found):
        raise Fault("a block is no registered submodule of the model", "give the items of the nn.ModuleList")
    ran: list[int] = []
    for number, block in enumerate(found):
        block.register_forward_hook(lambda *_, number=number: ran.append(number))
    subject.run(model)
    if ran != list(range(len(found))):
        raise Fault(
            f"a forward runs the blocks {ran} of {len(found)}", "call each block once, in the order of blocks()"
        )
    return f"{len(found)} blocks"
