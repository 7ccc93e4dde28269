"""Any causal language model of Hugging Face's transformers as the language model of a unified model."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from janus_core.interfaces import BuildContext, Cache, LanguageModel, SequenceLayout
from janus_transformers.cache import PositionedCache
from janus_transformers.options import TransformersOptions
from janus_transformers.source import build_causal

FULL, SLIDING = "full_attention", "sliding_attention"
"""transformers' names of the kinds of layers that can be computed: those that keep a key and a value for each token."""
NOT_SIZES = ("transformers_version", "dtype", "quantization_config", "_model_name_or_path", "_name_or_path")
"""Of a configuration: what says nothing of the computation."""
CLOSE = 1e-3
"""Largest difference, of the largest logit, between transformers' own forward and ours: rounding is far below."""


class TransformersModel(nn.Module):
    """The decoder and the text head of a causal model; conforms to `janus_core.interfaces.LanguageModel`.

    Packed samples are laid in rows of their own, padded on the right, so that none sees another in any architecture;
    that costs the padding. With tied weights there is no ``head``: the embedding serves as text head.
    """

    def __init__(self, causal: Any, max_positions: int | None = None) -> None:
        """Take the parts of a ``…ForCausalLM``; `ValueError` if its architecture does not fit the protocol."""
        super().__init__()
        config = causal.config.get_text_config()
        self._config = causal.config
        self.decoder: Any = causal.get_decoder()
        embedding, head = causal.get_input_embeddings(), causal.get_output_embeddings()
        _check(causal, config, self.decoder, head)
        self.head: nn.Linear | None = None if head.weight is embedding.weight else head
        embedding.padding_idx = None  # every row gets a gradient
        self.width, self.vocabulary = int(embedding.embedding_dim), int(embedding.num_embeddings)
        self.deviation = float(getattr(config, "initializer_range", None) or 0.02)
        declared = getattr(config, "max_position_embeddings", None)
        self.max_positions = int(max_positions or declared or 1 << 30)
        self.window = getattr(config, "sliding_window", None)
        self.kinds = frozenset(getattr(config, "layer_types", None) or [SLIDING if self.window else FULL])
        self.scale = float(getattr(config, "logit_scale", None) or 1) / (getattr(config, "logits_scaling", None) or 1)
        self.cap = getattr(config, "final_logit_softcapping", None)
        self.register_load_state_dict_post_hook(_computed_buffers)  # type: ignore[no-untyped-call]

    def architecture(self) -> dict[str, Any]:
        """The option of that name: transformers' configuration, of values that JSON can hold."""
        config = json.loads(json.dumps(self._config.to_diff_dict(), default=str))
        return {"architecture": {key: value for key, value in config.items() if key not in NOT_SIZES}}

    @property
    def _embedding(self) -> Any:
        return self.decoder.get_input_embeddings()

    def embed(self, ids: Tensor) -> Tensor:
        """int64 [...] -> float [..., width]."""
        return self._embedding(ids)  # type: ignore[no-any-return]

    def text_logits(self, hidden: Tensor) -> Tensor:
        """[..., width] -> [..., vocabulary]."""
        logits: Tensor = F.linear(hidden, self._embedding.weight) if self.head is None else self.head(hidden)
        if self.scale != 1:
            logits = logits * self.scale
        return logits if self.cap is None else self.cap * torch.tanh(logits / self.cap)

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
        padded = nn.utils.rnn.pad_sequence(list(torch.split(embeds[0], list(lengths))), batch_first=True)
        positions = torch.arange(padded.shape[1], device=embeds.device).expand(len(lengths), -1)
        hidden = self._run(padded, positions)  # causal: nothing sees the padding on its right
        return torch.cat([row[:length] for row, length in zip(hidden, lengths, strict=True)])[None]

    def _cached(self, embeds: Tensor, positions: Tensor, told: Tensor, cache: PositionedCache) -> Tensor:
        if cache.rows != len(embeds):
            raise ValueError(f"the cache has {cache.rows} rows, but embeds have {len(embeds)}: make one with new_cache")
        low, high = (int(bound) for bound in told.aminmax())
        if low < 0 or high >= cache.length:
            raise ValueError(f"positions {low} … {high} lie outside the cache's 0 … {cache.length - 1}: make it longer")
        cache.at(positions, high + 1)
        return self._run(embeds, positions, self._masks(positions, high + 1, embeds.dtype), cache)

    def _masks(self, positions: Tensor, prefix: int, dtype: torch.dtype) -> Tensor | dict[str, Tensor]:
        """What is added to the scores [R, 1, T, prefix]: one mask, or one for each kind of layer."""
        keys, queries = torch.arange(prefix, device=positions.device), positions[:, None, :, None]
        seen = {FULL: keys <= queries}
        if self.window is not None:
            seen[SLIDING] = seen[FULL] & (keys > queries - self.window)
        hidden = torch.finfo(dtype).min
        masks = {
            kind: torch.zeros(seen[kind].shape, dtype=dtype, device=keys.device).masked_fill_(~seen[kind], hidden)
            for kind in self.kinds
        }
        return masks if len(masks) > 1 else next(iter(masks.values()))

    def _run(
        self,
        embeds: Tensor,
        positions: Tensor,
        mask: Tensor | dict[str, Tensor] | None = None,
        cache: PositionedCache | None = None,
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
            ValueError: ``length`` exceeds ``max_positions``.
        """
        if length > self.max_positions:
            raise ValueError(
                f"a cache of {length} positions exceeds max_positions {self.max_positions}: raise the option"
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
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
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


@torch.no_grad()
def _computed_buffers(model: nn.Module, _: object) -> None:
    """Compute again what no file holds, such as rotary frequencies: a model that began without memory lacks it."""
    decoder: Any = model.decoder
    device = next(decoder.parameters()).device
    for module in decoder.modules():
        for name in module._non_persistent_buffers_set:
            if (buffer := getattr(module, name)) is not None and buffer.is_meta:
                setattr(module, name, torch.empty_like(buffer, device=device))
        if module._non_persistent_buffers_set:
            for parameter in module.parameters(recurse=False):
                parameter._is_hf_initialized = True  # transformers' mark of what is not to be drawn anew
            decoder._init_weights(module)


def _check(causal: Any, config: Any, decoder: Any, head: Any) -> None:
    embedding = causal.get_input_embeddings()
    accepted = inspect.signature(decoder.forward).parameters
    wanted = ("inputs_embeds", "position_ids", "past_key_values")
    problems = [f"its forward takes no {key}" for key in wanted if key not in accepted]
    others = {*(getattr(config, "layer_types", None) or ()), *(getattr(config, "attention_layers", None) or ())}
    others -= {FULL, SLIDING, "global"}
    problems += [f"it has layers of the kind {kind}" for kind in sorted(others)]
    if head is None or not isinstance(embedding, nn.Embedding) or embedding.embedding_dim != config.hidden_size:
        problems.append("its embedding and text head are not of the width of its hidden states")
    if problems:
        raise ValueError(f"{type(causal).__name__} cannot serve as language model: {'; '.join(problems)}")
    _blocks(decoder)


@torch.no_grad()
def _check_logits(causal: Any, model: TransformersModel) -> None:
    """`ValueError` if the logits are not those of transformers' own forward: the architecture does more to them."""
    ids = torch.arange(min(4, model.vocabulary))[None]
    hidden = model.embed(ids)
    ours = model.text_logits(model.eval()(hidden, SequenceLayout(positions=torch.arange(ids.shape[1])[None])))
    theirs = causal.eval()(input_ids=ids, use_cache=False).logits
    gap = float((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1e-9))
    if not gap <= CLOSE:
        raise ValueError(
            f"{type(causal).__name__} cannot serve as language model: its logits differ by {gap:.2g} from those of "
            "its own forward, which does something that this plugin does not know"
        )


def build(options: TransformersOptions, context: BuildContext, *, vocabulary: int) -> LanguageModel:
    """The model with ``vocabulary`` text ids, random or from ``options.weights``.

    Raises:
        ValueError: an architecture that does not fit, or weights with more rows than the text vocabulary.
        FileNotFoundError: no model at the path.
    """
    causal = build_causal(options, context, vocabulary)
    model = TransformersModel(causal, options.max_positions)
    if not next(model.parameters()).is_meta:
        _check_logits(causal, model)
        model.train()
    if model.vocabulary > vocabulary:
        raise ValueError(
            f"weights {options.weights!r} have {model.vocabulary} rows, but the text vocabulary has {vocabulary}: use "
            f"the text tokenizer that they were trained with, or pad the vocabulary to {model.vocabulary}"
        )
    model.resize_vocabulary(vocabulary)
    return model
