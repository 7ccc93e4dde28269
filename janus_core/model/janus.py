"""The model: understanding routes, generation parts and one language model, each handed in as a built object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from janus_core.config.parts import match_parts
from janus_core.interfaces import (
    TASKS,
    CodeLayout,
    Features,
    GenerationHead,
    GenerationTokenizer,
    LanguageModel,
    Task,
)
from janus_core.model.lora_names import is_update
from janus_core.sequence.pack import Batch


@dataclass(slots=True)
class Parts:
    """Built parts. The four generation parts come together; a tokenizer alone may serve an encoder by ``ref``."""

    language_model: nn.Module
    encoders: Mapping[str, nn.Module] = field(default_factory=dict)
    adapters: Mapping[str, nn.Module] = field(default_factory=dict)
    generation_tokenizer: nn.Module | None = None
    generation_adapter: nn.Module | None = None
    generation_head: nn.Module | None = None
    code_table: nn.Module | None = None
    code_layout: CodeLayout | None = None


@dataclass(slots=True)
class TaskLosses:
    """Sum of the losses and number of supervised tokens or codes, by task; one that the batch lacks is absent or 0."""

    sums: dict[Task, Tensor]
    counts: dict[Task, int]


class JanusModel(nn.Module):
    """One causal transformer that answers about pictures and draws them.

    The names of its parts (``encoders.image``, ``adapters.image``, ``language_model``, ``generation_tokenizer``,
    ``code_table``, ``generation_adapter``, ``generation_head``) are the names that recipes freeze and train.
    """

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.language_model = parts.language_model
        self.encoders = nn.ModuleDict(dict(parts.encoders))
        self.adapters = nn.ModuleDict(dict(parts.adapters))
        self.generation_tokenizer = parts.generation_tokenizer
        self.generation_adapter = parts.generation_adapter
        self.generation_head = parts.generation_head
        self.code_table = parts.code_table
        self.code_layout = parts.code_layout
        self._frozen: frozenset[str] = frozenset()
        self.updated: frozenset[str] = frozenset()
        """Parts with low-rank updates: of them only the updates train."""

    def parts(self) -> dict[str, nn.Module]:
        """The parts by name, those that the model has."""
        named: dict[str, nn.Module | None] = {f"encoders.{route}": part for route, part in self.encoders.items()}
        named |= {f"adapters.{route}": part for route, part in self.adapters.items()}
        names = ("language_model", "generation_tokenizer", "code_table", "generation_adapter", "generation_head")
        named |= {name: getattr(self, name) for name in names}
        return {name: part for name, part in named.items() if part is not None}

    @property
    def draws(self) -> bool:
        """Whether the model has what it needs to draw."""
        return self.generation_head is not None

    # -- freezing ------------------------------------------------------------------------------------------------

    def set_trained(self, patterns: Sequence[str]) -> frozenset[str]:
        """Train the parts that the patterns match and freeze the others; returns the names of the frozen ones.

        A module that a frozen part holds is frozen in every role it has.
        """
        trained = match_parts(patterns, list(self.parts()))
        self._frozen = frozenset(self.parts()) - trained
        for name, part in self.parts().items():
            if name in trained:
                for key, parameter in part.named_parameters():
                    parameter.requires_grad_(name not in self.updated or is_update(key))
        for name in self._frozen:
            self.parts()[name].requires_grad_(False)
        self.train(self.training)
        return self._frozen

    def train(self, mode: bool = True) -> JanusModel:
        """Set the mode; frozen parts stay in eval mode, also when Lightning calls this on the whole model."""
        super().train(mode)
        for name in self._frozen:
            self.parts()[name].eval()
        return self

    # -- inputs --------------------------------------------------------------------------------------------------

    def understand(self, route: str, inputs: Any) -> Features:
        """Encode a collated batch of a route's inputs and adapt it to the language model: [B, N, width]."""
        features: Features = self.encoders[route](inputs)
        adapted: Features = self.adapters[route](features)
        return adapted

    @torch.no_grad()
    def encode_pixels(self, pixels: Tensor) -> Tensor:
        """float [P, 3, S, S] in [-1, 1] -> codes int64 [P, N, C]; never with gradient, the tokenizer is frozen."""
        codes: Tensor = cast(GenerationTokenizer, self.generation_tokenizer).encode(pixels)
        return codes

    def embed_codes(self, codes: Tensor) -> Tensor:
        """int64 [P, N, C] -> language-model inputs [P, N, width]."""
        assert self.code_table is not None
        assert self.generation_adapter is not None
        adapted: Features = self.generation_adapter(Features(self.code_table(codes)))
        return adapted.tokens

    # -- training ------------------------------------------------------------------------------------------------

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Language-model inputs of a packed batch, features and codes put in: [T, width]; and the codes [P, N, C]."""
        embeds = cast(LanguageModel, self.language_model).embed(batch.ids)[0]
        for route, given in batch.given.items():
            features = self.understand(route, given.inputs)
            tokens = features.tokens.flatten(0, 1) if features.mask is None else features.tokens[features.mask]
            embeds = embeds.index_copy(0, given.index, tokens.to(embeds.dtype))
        if batch.pixels is None:
            return embeds, None
        codes = self.encode_pixels(batch.pixels)
        vectors = self.embed_codes(codes).flatten(0, 1)
        return embeds.index_copy(0, batch.code_index.flatten(), vectors.to(embeds.dtype)), codes

    def forward(self, batch: Batch) -> TaskLosses:
        """The losses of a packed batch, at supervised positions only."""
        embeds, codes = self.embed(batch)
        hidden: Tensor = self.language_model(embeds[None], batch.layout)[0]
        losses, unused = self._text_losses(hidden, batch)
        if codes is not None:
            head, layout, index = cast(GenerationHead, self.generation_head), self.code_layout, batch.learned_codes()
            assert layout is not None
            # The hidden state before a code predicts it: the first is predicted at the begin token.
            total, count = head.loss(hidden[index.flatten() - 1], codes[: len(index)].flatten(0, 1), layout)
            losses.sums["generation"], losses.counts["generation"] = total + unused, count
        elif not losses.sums:
            losses = TaskLosses({"text": unused}, {"text": 0})
        return losses

    def _text_losses(self, hidden: Tensor, batch: Batch) -> tuple[TaskLosses, Tensor]:
        """The losses, and a zero that reaches the text head also where no word is learned: sharded processes must
        pass backwards through the same parts."""
        losses = TaskLosses({}, {})
        logits = cast(LanguageModel, self.language_model).text_logits(hidden[batch.text_index])
        each = F.cross_entropy(logits.float(), batch.text_labels, reduction="none")
        for index, task in enumerate(TASKS):
            mine = batch.text_task == index
            if (count := int(mine.sum())) and task != "generation":
                losses.sums[task], losses.counts[task] = each[mine].sum(), count
        return losses, each[:0].sum()
