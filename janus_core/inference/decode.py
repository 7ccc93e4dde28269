"""The decode engine: one prefill of all prompts, then a token or a code a step from the cache."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from janus_core.errors import UserError
from janus_core.inference.noise import KeyedGumbel
from janus_core.inference.sampling import choose_ids
from janus_core.interfaces import Cache, GenerationHead, LanguageModel, Sampling, SequenceLayout, device_of
from janus_core.model.build import BuiltModel
from janus_core.sequence.assemble import Assembled
from janus_core.sequence.pack import pack

OnText = Callable[[int, list[int]], None]
"""Called as (row, ids of the answer so far) after each step."""
Steps = Callable[[Iterable[int]], Iterable[int]]
"""Wraps the range of steps, for a progress bar."""


def no_progress(steps: Iterable[int]) -> Iterable[int]:
    """The steps as they are."""
    return steps


@dataclass(frozen=True, slots=True)
class Kept:
    """Codes of a given picture, int64 [N, C], and which of its positions stay, bool [N]."""

    codes: Tensor
    keep: Tensor


@dataclass(slots=True)
class _Prefilled:
    hidden: Tensor  # [R, width], at the last token of each prompt
    lengths: Tensor  # [R]
    cache: Cache


@torch.inference_mode()
def decode_text(
    built: BuiltModel,
    prompts: Sequence[Assembled],
    *,
    max_new_tokens: int,
    sampling: Sampling,
    keys: Sequence[tuple[int, int]],
    on_text: OnText | None = None,
) -> list[list[int]]:
    """Continue each prompt until EOS or ``max_new_tokens``; the ids of the answers, without EOS.

    Args:
        keys: (seed, conversation) of each prompt.
    """
    model = cast(LanguageModel, built.model.language_model)
    state = _prefill(built, prompts, max_new_tokens)
    noise = KeyedGumbel(keys, state.hidden.device)
    answers: list[list[int]] = [[] for _ in prompts]
    running = [True] * len(prompts)
    hidden = state.hidden
    for step in range(max_new_tokens):
        logits = model.text_logits(hidden)
        drawn = noise.at(step)(0, logits.shape[-1]) if sampling.temperature else None
        ids = choose_ids(logits, drawn, sampling)
        for row, token in enumerate(ids.tolist()):
            running[row] = running[row] and token != built.text.eos
            if running[row]:
                answers[row].append(token)
                if on_text is not None:
                    on_text(row, answers[row])
        if not any(running):
            break
        hidden = _step(model, model.embed(ids), state, step)
    return answers


@torch.inference_mode()
def decode_codes(
    built: BuiltModel,
    prompts: Sequence[Assembled],
    *,
    keys: Sequence[tuple[int, int]],
    sampling: Sampling,
    negative: Assembled | None = None,
    kept: Kept | None = None,
    steps: Steps = no_progress,
) -> Tensor:
    """Draw the codes of a picture for each generation prompt: int64 [P, N, C].

    Args:
        keys: (seed, image) of each picture.
        sampling: with a guidance other than 1 every picture takes a second row without its prompt.
        negative: takes the place of the empty prompt in those rows.
        kept: codes that are taken as they are; the others are drawn after them and know only what came before.
    """
    model, head = cast(LanguageModel, built.model.language_model), cast(GenerationHead, built.model.generation_head)
    layout = built.model.code_layout
    assert layout is not None
    rows = list(prompts)
    if sampling.guidance != 1:
        rows += [negative or _without_condition(built, prompt) for prompt in prompts]
    state = _prefill(built, rows, layout.positions)
    noise = KeyedGumbel(keys, state.hidden.device)
    codes, hidden = [], state.hidden
    for step in steps(range(layout.positions)):
        drawn = head.sample(hidden, noise.at(step), sampling)
        if kept is not None:
            drawn = torch.where(kept.keep[step], kept.codes[step].to(drawn), drawn)
        codes.append(drawn)
        if step + 1 < layout.positions:
            vectors = built.model.embed_codes(codes[-1][:, None])[:, 0]
            hidden = _step(model, vectors.repeat(len(rows) // len(prompts), 1), state, step)
    return torch.stack(codes, 1)


def _without_condition(built: BuiltModel, prompt: Assembled) -> Assembled:
    free = copy.copy(prompt)
    free.ids = list(prompt.ids)
    built.assembler.drop_condition(free)
    return free


def _prefill(built: BuiltModel, prompts: Sequence[Assembled], more: int) -> _Prefilled:
    """Run the prompts as padded rows; padding lies behind each prompt, where no token of it looks."""
    model = built.model
    device = device_of(model.language_model)
    transforms = {route: item.transform for route, item in built.assembler.routes.items()}
    batch = pack(prompts, transforms, None).to(device)
    embeds, _ = model.embed(batch)
    rows = nn.utils.rnn.pad_sequence(list(torch.split(embeds, [len(p.ids) for p in prompts])), batch_first=True)
    lengths = torch.tensor([len(prompt.ids) for prompt in prompts])  # on the host: positions are planned there
    try:
        cache = cast(LanguageModel, model.language_model).new_cache(len(prompts), rows.shape[1] + more)
    except ValueError as error:
        told = f"a prompt of {rows.shape[1]} tokens with {more} to come is too long: {error}"
        raise UserError(told, "shorten the prompt, or ask for fewer new tokens") from error
    positions = torch.arange(rows.shape[1]).expand(len(prompts), -1)
    hidden = model.language_model(rows, SequenceLayout(positions), cache)
    last = hidden[torch.arange(len(prompts), device=device), (lengths - 1).to(device)]
    return _Prefilled(last, lengths, cache)


def _step(model: LanguageModel, embeds: Tensor, state: _Prefilled, step: int) -> Tensor:
    positions = (state.lengths + step)[:, None]
    hidden: Tensor = cast(nn.Module, model)(embeds[:, None], SequenceLayout(positions), state.cache)
    return hidden[:, 0]
