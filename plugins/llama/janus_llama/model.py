"""The Llama decoder, under the parameter names of Hugging Face's ``LlamaForCausalLM``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from janus_core.interfaces import BuildContext, Cache, LanguageModel, SequenceLayout
from janus_llama.attention import Plan, SelfAttention, make_plan, rotary
from janus_llama.cache import KeyValueCache
from janus_llama.options import LlamaOptions
from janus_llama.weights import load_weights


class FeedForward(nn.Module):
    """SwiGLU: ``down(silu(gate(x)) * up(x))`` (arXiv:2002.05202)."""

    def __init__(self, options: LlamaOptions) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(options.hidden_size, options.intermediate_size, bias=False)
        self.up_proj = nn.Linear(options.hidden_size, options.intermediate_size, bias=False)
        self.down_proj = nn.Linear(options.intermediate_size, options.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[..., width] -> [..., width]."""
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))  # type: ignore[no-any-return]


class Block(nn.Module):
    """One pre-norm transformer block: the unit of sharding and of gradient checkpointing."""

    def __init__(self, options: LlamaOptions, layer: int) -> None:
        super().__init__()
        self.self_attn = SelfAttention(options, layer)
        self.mlp = FeedForward(options)
        self.input_layernorm = nn.RMSNorm(options.hidden_size, eps=options.rms_norm_eps)
        self.post_attention_layernorm = nn.RMSNorm(options.hidden_size, eps=options.rms_norm_eps)

    def forward(
        self, x: Tensor, turn: tuple[Tensor, Tensor], plan: Plan, positions: Tensor, cache: KeyValueCache | None
    ) -> Tensor:
        """[R, T, width] -> [R, T, width]."""
        x = x + self.self_attn(self.input_layernorm(x), turn, plan, positions, cache)
        return x + self.mlp(self.post_attention_layernorm(x))  # type: ignore[no-any-return]


class Decoder(nn.Module):
    """Embedding, blocks and final norm: what is called ``model`` in Hugging Face's names."""

    def __init__(self, options: LlamaOptions, vocabulary: int) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(vocabulary, options.hidden_size)  # no padding_idx: every row gets a gradient
        self.layers = nn.ModuleList(Block(options, layer) for layer in range(options.layers))
        self.norm = nn.RMSNorm(options.hidden_size, eps=options.rms_norm_eps)


class Llama(nn.Module):
    """A causal language model on embeddings; conforms to `janus_core.interfaces.LanguageModel`.

    With ``tied`` there is no ``lm_head``: the embedding's weight serves as text head (and the module keeps no second
    name for it, so that no load or copy can part the two).
    """

    def __init__(self, options: LlamaOptions, vocabulary: int) -> None:
        super().__init__()
        self.options = options
        self.width, self.vocabulary = options.hidden_size, vocabulary
        self.model = Decoder(options, vocabulary)
        self.lm_head = None if options.tied else nn.Linear(options.hidden_size, vocabulary, bias=False)

    @torch.no_grad()
    def initialise(self) -> None:
        """Draw every matrix from normal(0, initializer_range) and set the norms to 1; torch's generator."""
        for name, parameter in self.named_parameters():
            if name.endswith("norm.weight"):
                parameter.fill_(1.0)
            else:
                parameter.normal_(0.0, self.options.initializer_range)

    def embed(self, ids: Tensor) -> Tensor:
        """int64 [...] -> float [..., width]."""
        return self.model.embed_tokens(ids)  # type: ignore[no-any-return]

    def forward(self, embeds: Tensor, layout: SequenceLayout, cache: Cache | None = None) -> Tensor:
        """[R, T, width] -> hidden states after the final norm, [R, T, width]; a cache is extended in place.

        Padding on the right of a row with a cache must carry the positions that follow the row's own: later tokens
        overwrite its keys, and nobody sees them before.

        Raises:
            ValueError: a layout that does not fit ``embeds``, the cache or ``max_positions``.
            TypeError: a cache that `new_cache` did not make.
        """
        if cache is not None and not isinstance(cache, KeyValueCache):
            raise TypeError(f"cache is a {type(cache).__name__}: make it with this model's new_cache(rows, length)")
        rows, tokens, _ = embeds.shape
        plan = make_plan(layout, rows, tokens, self.options.max_positions, cache)
        if plan.mask is not None:
            plan = Plan(prefix=plan.prefix, mask=plan.mask.to(embeds.device))
        positions = layout.positions.to(embeds.device, non_blocking=True)
        turn = rotary(positions, self.options.head_width, self.options.rope_theta, embeds.dtype)
        hidden = embeds
        for block in self.model.layers:
            hidden = block(hidden, turn, plan, positions, cache)
        return self.model.norm(hidden)  # type: ignore[no-any-return]

    def text_logits(self, hidden: Tensor) -> Tensor:
        """[..., width] -> [..., vocabulary]."""
        head = self.model.embed_tokens if self.lm_head is None else self.lm_head
        return F.linear(hidden, head.weight)

    def new_cache(self, rows: int, length: int) -> KeyValueCache:
        """Zeros for ``length`` positions in each of ``rows`` rows, in the dtype and on the device of the embedding.

        Raises:
            ValueError: ``length`` exceeds ``max_positions``.
        """
        if length > self.options.max_positions:
            raise ValueError(
                f"a cache of {length} positions exceeds max_positions {self.options.max_positions}: raise the option"
            )
        options, weight = self.options, self.model.embed_tokens.weight
        heads, width = options.key_value_heads, options.head_width
        return KeyValueCache(
            rows, length, layers=options.layers, heads=heads, width=width, dtype=weight.dtype, device=weight.device
        )

    @torch.no_grad()
    def resize_vocabulary(self, size: int) -> None:
        """Grow or cut the embedding and the text head to ``size`` rows; existing rows keep their values.

        New rows are drawn from normal(0, initializer_range). The parameters are new objects: resize before the
        optimiser is made.
        """
        if size < 1:
            raise ValueError(f"a vocabulary of {size} rows is not possible: give at least 1")
        if size == self.vocabulary:
            return
        kept = min(size, self.vocabulary)
        for module in (self.model.embed_tokens, self.lm_head):
            if module is None:
                continue
            old = module.weight
            new = old.new_empty(size, self.width)
            new[:kept] = old[:kept]
            new[kept:].normal_(0.0, self.options.initializer_range)
            module.weight = nn.Parameter(new, requires_grad=old.requires_grad)
        self.model.embed_tokens.num_embeddings = self.vocabulary = size
        if self.lm_head is not None:
            self.lm_head.out_features = size

    def blocks(self) -> Sequence[nn.Module]:
        """The transformer blocks, first to last."""
        return list(self.model.layers)


def build(options: LlamaOptions, context: BuildContext, *, vocabulary: int) -> LanguageModel:
    """A Llama with ``vocabulary`` text ids on torch's default device, random or from ``options.weights``.

    Raises:
        ValueError: weights that do not fit the options, all reasons in one message.
        FileNotFoundError: no weights at the path.
    """
    device = torch.get_default_device()
    with torch.device("meta"):  # the default draws of nn.Linear would only be thrown away
        model = Llama(options, vocabulary)
    if device.type == "meta":
        return model
    model.to_empty(device=device)
    if options.weights != "none" and not context.skip_weights:
        load_weights(model, context.folder / options.weights, options)
    else:
        model.initialise()
    return model
