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
LONG = 24


@check("causal", "must", L, "a token changes its own and later states, none before",
       prevents="a model that reads the answer while it is trained")  # fmt: skip
def causal(subject: Subject) -> None:
    subject.need("forward")
    for at in (LENGTH // 2, LONG // 2, LONG - 2):
        _sees_only_before(subject, at, LENGTH if at < LENGTH else LONG)


def _sees_only_before(subject: Subject, at: int, length: int) -> None:
    model: Any = subject.module
    with torch.no_grad():
        embeds = model.embed(ids_of(0, length)[None].to(subject.device))
        other = embeds.clone()
        other[:, at] = embeds[:, at].flip(-1) + 1
        first, second = (model(x, plain_layout(1, length)) for x in (embeds, other))
    if distance(first[:, :at], second[:, :at]) > CLOSE:
        raise Fault(f"changing token {at} changes states before it", "mask the future (is_causal=True)")
    near = slice(at + 1, at + 2)  # not the last: attention may have a window
    for name, states in (("its own state", slice(at, at + 1)), ("the next state", near)):
        if distance(first[:, states], second[:, states]) == 0:
            raise Fault(f"changing token {at} does not change {name}", "let each token see itself and all before")


@check("packed", "must", L, "packed samples do not see each other",
       prevents="answers that leak between samples of a batch (nanoVLM, unsloth)")  # fmt: skip
def packed(subject: Subject) -> None:
    subject.need("forward")
    model: Any = subject.module
    lengths = (4, 5, 3, 1)
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


@check("positions", "must", L, "another distance between tokens gives other states",
       prevents="positions that are counted anew instead of taken from the layout", unless="positions")  # fmt: skip
def positions(subject: Subject) -> None:
    subject.need("forward")
    model: Any = subject.module
    plain = plain_layout(1, LENGTH)
    apart = SequenceLayout(plain.positions + 3 * (plain.positions >= LENGTH // 2))
    with torch.no_grad():
        embeds = model.embed(ids_of(5)[None].to(subject.device))
        first, second = model(embeds.clone(), plain), model(embeds.clone(), apart)
    if distance(first, second) <= 1e-6:
        raise Fault(
            "positions 0 1 2 3 7 8 9 10 11 give the same as 0 to 8: layout.positions is not read",
            "rotate or add by layout.positions; declare the capability positions: False for a model without any",
        )


@check("cache", "must", L, "with a cache, piece by piece, the states are those of one pass",
       prevents="answers that differ from what was trained")  # fmt: skip
def cache(subject: Subject) -> None:
    subject.need("forward")
    model: Any = subject.module
    with torch.no_grad():
        embeds = model.embed(torch.stack([ids_of(2), ids_of(3)]).to(subject.device))
        whole = model(embeds, plain_layout(2, LENGTH))
        held, parts = model.new_cache(2, 2 * LENGTH), []
        if getattr(held, "rows", None) != 2 or getattr(held, "length", 0) < 2 * LENGTH:
            raise Fault(f"new_cache(2, {2 * LENGTH}) has not rows 2 and length {2 * LENGTH}", "see interfaces.Cache")
        other = model.new_cache(2, 2 * LENGTH)
        for start, end in ((0, 4), (4, 5), (5, LENGTH)):
            positions = torch.arange(start, end).expand(2, -1).contiguous()
            parts.append(model(embeds[:, start:end].contiguous(), SequenceLayout(positions), held))
            model(embeds[:, start:end].flip(-1).contiguous(), SequenceLayout(positions.clone()), other)
    gap = distance(whole, torch.cat(parts, dim=1))
    if gap > CLOSE:
        raise Fault(
            f"with a cache the states differ from one pass by {gap:.2g} of the largest value",
            "store keys at layout.positions, in tensors of each cache's own, and let position p see the keys 0 to p",
        )
    _rows_apart(subject, embeds, whole)
    if subject.capability("bfloat16") is not False:
        _cache_in_bfloat16(subject)


def _rows_apart(subject: Subject, embeds: torch.Tensor, whole: torch.Tensor) -> None:
    """Rows of other lengths, padded on the right, then each on from its own end: as batches of prompts are drawn."""
    model: Any = subject.module
    ends = torch.tensor([6, 3], device=embeds.device)
    with torch.no_grad():
        held = model.new_cache(2, LENGTH + 2)
        prompts = embeds[:, :6].clone()
        prompts[1, 3:] = 7.0
        first = model(prompts, SequenceLayout(torch.arange(6, device=embeds.device).expand(2, -1).contiguous()), held)
        parts = [torch.stack((first[0, 5], first[1, 2]))]
        for step in range(3):
            at = ends + step
            token = torch.stack([embeds[row, int(p)] for row, p in enumerate(at)])[:, None].clone()
            parts.append(model(token, SequenceLayout(at[:, None].contiguous()), held)[:, 0])
    wanted = [torch.stack((whole[0, int(a)], whole[1, int(b)])) for a, b in [ends - 1 + step for step in range(4)]]
    gap = distance(torch.stack(wanted), torch.stack(parts))
    if gap > CLOSE:
        raise Fault(
            f"rows of other lengths, padded on the right and gone on with a cache, differ from one pass by {gap:.2g}",
            "store each row's keys at its own layout.positions (no one length for all rows)",
        )


def _cache_in_bfloat16(subject: Subject) -> None:
    model: Any = subject.fresh().to(torch.bfloat16)
    with torch.no_grad():
        embeds = model.embed(ids_of(2)[None].to(subject.device))
        try:
            model(embeds, plain_layout(1, LENGTH), model.new_cache(1, LENGTH))
        except RuntimeError as error:
            raise Fault(
                f"in bfloat16 a forward with a cache raises {str(error).splitlines()[0]}",
                "make the cache in the dtype of the weights",
            ) from None


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
    _resized_in_kind(subject)


def _resized_in_kind(subject: Subject) -> None:
    """The new weights are as the old: dtype, freezing, tying; and the new rows hold numbers."""
    model: Any = subject.fresh()
    dtype = torch.float32 if subject.capability("bfloat16") is False else torch.bfloat16
    model.to(dtype).requires_grad_(False)
    tied = {tuple(names) for names in _shared(model)}
    model.resize_vocabulary(VOCABULARY + 5)
    lost = tied - {tuple(names) for names in _shared(model)}
    if lost:
        raise Fault(f"resize_vocabulary unties {' and '.join(lost.pop())}", "give both the same new parameter")
    for name, p in model.named_parameters():
        if p.dtype != dtype or p.requires_grad:
            was = f"{str(dtype)[6:]}, frozen"
            now = f"{str(p.dtype)[6:]}, {'trained' if p.requires_grad else 'frozen'}"
            raise Fault(f"resize_vocabulary makes {name} {now}, it was {was}", "keep dtype and requires_grad")
        if not bool(p.isfinite().all()):
            raise Fault(f"after resize_vocabulary {name} has new rows that are not finite", "draw the new rows")


def _shared(model: nn.Module) -> list[list[str]]:
    """Names of parameters that are one."""
    found: dict[int, list[str]] = {}
    for name, p in model.named_parameters(remove_duplicate=False):
        found.setdefault(id(p), []).append(name)
    return [names for names in found.values() if len(names) > 1]


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
    given = {id(block) for block in found}
    for name, part in model.named_modules():
        inside = [id(child) for child in part.children()] if isinstance(part, nn.ModuleList) else []
        missed = [index for index, child in enumerate(inside) if child not in given]
        if missed and len(missed) < len(inside):
            raise Fault(f"blocks() leaves out {name}.{missed[0]}", "give every item of the nn.ModuleList")
    ran: list[int] = []
    for number, block in enumerate(found):
        block.register_forward_hook(lambda *_, number=number: ran.append(number))
    subject.run(model)
    if ran != list(range(len(found))):
        raise Fault(
            f"a forward runs the blocks {ran} of {len(found)}", "call each block once, in the order of blocks()"
        )
    return f"{len(found)} blocks"
