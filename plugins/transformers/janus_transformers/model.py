"""Any causal language model of Hugging Face's transformers as the language model of a unified model."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from janus_core.interfaces import BuildContext, Cache, LanguageModel, SequenceLayout
from janus_transformers.cache import PositionedCache
from janus_transformers.options import TransformersOptions
from janus_transformers.source import build_causal

ALTERED = ("final_logit_softcapping", "logit_scale", "logits_scaling")
"""Settings by which an architecture changes its logits after the text head, which is not done here."""


class TransformersModel(nn.Module):
    """The decoder and the text head of a causal model; conforms to `janus_core.interfaces.LanguageModel`.

    Packed samples are laid in rows of their own, padded on the right, so that none sees another in any architecture;
    that costs the padding. With tied weights there is no ``head``: the embedding serves as text head.
    """

    def __init__(self, causal: Any, max_positions: int | None = None) -> None:
        """Take the parts of a ``…ForCausalLM``; `ValueError` if its architecture does not fit the protocol."""
        super().__init__()
        config = causal.config.get_text_config()
        self.decoder: Any = causal.base_model
        embedding, head = causal.get_input_embeddings(), causal.get_output_embeddings()
        _check(causal, config, embedding, head)
        self.head: nn.Linear | None = None if head.weight is embedding.weight else head
        embedding.padding_idx = None  # every row gets a gradient
        self.width, self.vocabulary = int(embedding.embedding_dim), int(embedding.num_embeddings)
        self.deviation = float(getattr(config, "initializer_range", None) or 0.02)
        declared = getattr(config, "max_position_embeddings", None)
        self.max_positions = int(max_positions or declared or 1 << 30)
        self.window = getattr(config, "sliding_window", None)

    @property
    def _embedding(self) -> Any:
        return self.decoder.get_input_embeddings()

    def embed(self, ids: Tensor) -> Tensor:
        """int64 [...] -> float [..., width]."""
        return self._embedding(ids)  # type: ignore[no-any-return]

    def text_logits(self, hidden: Tensor) -> Tensor:
        """[..., width] -> [..., vocabulary]."""
        if self.head is None:
            return F.linear(hidden, self._embedding.weight)
        return self.head(hidden)  # type: ignore[no-any-return]

    def forward(self, embeds: Tensor, layout: SequenceLayout, cache: Cache | None = None) -> Tensor:
        """[R, T, width] -> hidden states after the final norm, [R, T, width]; a cache is extended in place.

        Raises:
            ValueError: a layout that does not fit ``embeds``, the cache or ``max_positions``.
            TypeError: a cache that `new_cache` did not make.
        """
        rows, tokens, _ = embeds.shape
        if tuple(layout.positions.shape) != (rows, tokens):
            raise ValueError(
                f"positions have shape {tuple(layout.positions.shape)}, but embeds have [{rows}, {tokens}, …]"
            )
        if cache is not None and not isinstance(cache, PositionedCache):
            raise TypeError(f"cache is a {type(cache).__name__}: make it with this model's new_cache(rows, length)")
        longest = max(layout.lengths, default=0) if layout.lengths is not None else tokens
        if longest > self.max_positions:
            raise ValueError(f"a sample of {longest} tokens exceeds max_positions {self.max_positions}: shorten it")
        if tokens == 0:
            return embeds
        positions = layout.positions.to(embeds.device)
        if layout.lengths is not None:
            return self._packed(embeds, layout.lengths, cache)
        if cache is not None:
            return self._cached(embeds, positions, layout.positions, cache)
        return self._run(embeds, positions)

    def _packed(self, embeds: Tensor, lengths: Sequence[int], cache: Cache | None) -> Tensor:
        if cache is not None:
            raise ValueError("a packed batch (layout.lengths) cannot use a cache: give lengths None, a row a sample")
        rows, tokens, _ = embeds.shape
        if rows != 1:
            raise ValueError(f"a packed batch (layout.lengths) has 1 row, not {rows}: join the samples in one row")
        if sum(lengths) != tokens or min(lengths) < 1:
            raise ValueError(f"lengths {tuple(lengths)} must be positive and sum to {tokens}")
        padded = nn.utils.rnn.pad_sequence(list(embeds[0].split(list(lengths))), batch_first=True)
        positions = torch.arange(padded.shape[1], device=embeds.device).expand(len(lengths), -1)
        hidden = self._run(padded, positions)  # causal: nothing sees the padding on its right
        return torch.cat([row[:length] for row, length in zip(hidden, lengths, strict=True)])[None]

    def _cached(self, embeds: Tensor, positions: Tensor, told: Tensor, cache: PositionedCache) -> Tensor:
        if cache.rows != len(embeds):
            raise ValueError(f"the cache has {cache.rows} rows, but embeds have {len(embeds)}: make one with new_cache")
        low, high = (int(bound) for bound in told.aminmax())
        if low < 0 or high >= cache.length:
            raise ValueError(f"positions {low} … {high} lie outside the cache's 0 … {cache.length - 1}: make it longer")
        seen = torch.arange(high + 1, device=embeds.device) <= positions[:, None, :, None]
        mask = torch.zeros(seen.shape, dtype=embeds.dtype, device=embeds.device)
        mask.masked_fill_(~seen, torch.finfo(embeds.dtype).min)
        cache.at(positions, high + 1)
        return self._run(embeds, positions, mask, cache)

    def _run(
        self, embeds: Tensor, positions: Tensor, mask: Tensor | None = None, cache: PositionedCache | None = None
    ) -> Tensor:
        found = self.decoder(
            inputs_embeds=embeds,
            position_ids=positions,
            attention_mask=mask,
            past_key_values=cache,
            use_cache=cache is not None,
        )
        return found.last_hidden_state  # type: ignore[no-any-return]

    def new_cache(self, rows: int, length: int) -> PositionedCache:
        """An empty cache for ``length`` positions in each of ``rows`` rows.

        Raises:
            ValueError: ``length`` exceeds ``max_positions``, or the window of a model that looks back only so far.
        """
        if length > self.max_positions:
            raise ValueError(
                f"a cache of {length} positions exceeds max_positions {self.max_positions}: raise the option"
            )
        if self.window is not None and length > self.window:
            raise ValueError(
                f"a cache of {length} positions exceeds the window of {self.window} that this model looks back: "
                "give shorter prompts or another model"
            )
        return PositionedCache(rows, length, len(self.blocks()))

    @torch.no_grad()
    def resize_vocabulary(self, size: int) -> None:
        """Grow or cut the embedding and the text head to ``size`` rows; existing rows keep their values.

        New rows are drawn from normal(0, initializer_range), new biases are 0. The parameters are new objects: resize
        before the optimiser is made.
        """
        if size < 1:
            raise ValueError(f"a vocabulary of {size} rows is not possible: give at least 1")
        if size == self.vocabulary:
            return
        kept = min(size, self.vocabulary)
        for module in (self._embedding, self.head):
            if module is None:
                continue
            old = module.weight
            new = old.new_empty(size, self.width)
            new[:kept] = old[:kept]
            new[kept:].normal_(0.0, self.deviation)
            module.weight = nn.Parameter(new, requires_grad=old.requires_grad)
            if getattr(module, "bias", None) is not None:
                bias = module.bias.new_zeros(size)
                bias[:kept] = module.bias[:kept]
                module.bias = nn.Parameter(bias, requires_grad=module.bias.requires_grad)
        self._embedding.num_embeddings = self.vocabulary = self.decoder.config.vocab_size = size
        if self.head is not None:
            self.head.out_features = size

    def blocks(self) -> Sequence[nn.Module]:
        """The transformer blocks, first to last."""
        return list(_blocks(self.decoder))

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        """Move or cast, but leave rotary frequencies in fp32: rounded to bfloat16 they turn far positions wrongly."""
        kept = [
            (module, name, buffer)
            for module in self.modules()
            for name, buffer in module.named_buffers(recurse=False)
            if name in module._non_persistent_buffers_set and buffer.is_floating_point()
        ]
        super()._apply(fn, recurse)
        for module, name, buffer in kept:
            moved = getattr(module, name)
            if moved.dtype != buffer.dtype:
                setattr(module, name, buffer.to(moved.device))
        return self


def _blocks(decoder: nn.Module) -> nn.ModuleList:
    count = decoder.config.get_text_config().num_hidden_layers  # type: ignore[union-attr, operator]
    for child in decoder.children():
        if isinstance(child, nn.ModuleList) and len(child) == count:
            return child
    raise ValueError(f"{type(decoder).__name__} has no list of {count} blocks: it cannot serve as language model")


def _check(causal: Any, config: Any, embedding: Any, head: Any) -> None:
    name = type(causal).__name__
    problems = [f"it sets {key}, which changes the logits" for key in ALTERED if getattr(config, key, None)]
    accepted = inspect.signature(causal.base_model.forward).parameters
    wanted = ("inputs_embeds", "position_ids", "past_key_values")
    problems += [f"its forward takes no {key}" for key in wanted if key not in accepted]
    if head is None or not isinstance(embedding, nn.Embedding) or embedding.embedding_dim != config.hidden_size:
        problems.append("its embedding and text head are not of the width of its hidden states")
    if problems:
        raise ValueError(f"{name} cannot serve as language model: {'; '.join(problems)}")
    _blocks(causal.base_model)


def build(options: TransformersOptions, context: BuildContext, *, vocabulary: int) -> LanguageModel:
    """The model with ``vocabulary`` text ids, random or from ``options.weights``.

    Raises:
        ValueError: an architecture that does not fit, or weights with more rows than the text vocabulary.
        FileNotFoundError: no model at the path.
    """
    model = TransformersModel(build_causal(options, context, vocabulary), options.max_positions)
    if model.vocabulary > vocabulary:
        raise ValueError(
            f"weights {options.weights!r} have {model.vocabulary} rows, but the text vocabulary has {vocabulary}: use "
            f"the text tokenizer that they were trained with, or pad the vocabulary to {model.vocabulary}"
        )
    model.resize_vocabulary(vocabulary)
    return model
