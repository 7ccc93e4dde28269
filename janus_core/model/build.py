"""A recipe's model section -> a built `JanusModel` with its transforms, through the plugins."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from janus_core.config.choose import Chosen, choose, load
from janus_core.config.provenance import provenance
from janus_core.config.recipe import ComponentChoice, ModelConfig, TextConfig
from janus_core.errors import UserError
from janus_core.interfaces import (
    Adapter,
    BuildContext,
    GenerationTokenizer,
    LanguageModel,
    Transform,
    UnderstandingEncoder,
)
from janus_core.model.code_table import build_code_table
from janus_core.model.janus import JanusModel, Parts
from janus_core.package_files import locate
from janus_core.sequence.assemble import Assembler, Route
from janus_core.text.tokenizer import BYTES, TextTokenizer


@dataclass(slots=True)
class BuiltModel:
    """A model with what its data must pass through.

    Attributes:
        transforms: by route.
        target_transform: the tokenizer's, or None if the model does not draw.
        random: parts whose weights are random because their options say ``weights: none`` and no stage trained them.
        provenance: by part, see `janus_core.config.provenance`.
    """

    model: JanusModel
    text: TextTokenizer
    assembler: Assembler
    transforms: dict[str, Transform]
    target_transform: Transform | None
    random: list[str]
    provenance: dict[str, dict[str, str]]


def build_model(
    config: ModelConfig, text_config: TextConfig, *, seed: int, folder: Path, skip_weights: bool = False
) -> BuiltModel:
    """Build every part of a model.

    Each part draws its initial weights from a seed of its own name, so that swapping one leaves the others alike.

    Args:
        folder: relative paths in the configuration are relative to it.
        skip_weights: leave out the reading of weights, because a checkpoint is loaded over the model at once.
    """
    return _Builder(config, text_config, seed, folder, skip_weights).build()


@contextmanager
def seeded(seed: int, name: str) -> Iterator[None]:
    """Within, torch's generator is seeded by the seed and the name; its state is restored after."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:7], "big"))
        yield


@dataclass(slots=True)
class _Builder:
    config: ModelConfig
    text_config: TextConfig
    seed: int
    folder: Path
    skip_weights: bool
    built: dict[str, nn.Module] = field(default_factory=dict)
    building: list[str] = field(default_factory=list)
    random: list[str] = field(default_factory=list)
    provenance: dict[str, dict[str, str]] = field(default_factory=dict)

    def build(self) -> BuiltModel:
        config = self.config
        encoders = {route: cast(UnderstandingEncoder, self.part(f"encoders.{route}")) for route in config.encoders}
        modalities = sorted({encoder.modality for encoder in encoders.values()})
        text = TextTokenizer.load(self._path(self.text_config.tokenizer), self.text_config.special, modalities)
        rows = self._rows(text)
        language_model = self._make("language_model", config.language_model, vocabulary=rows)
        cast(LanguageModel, language_model).resize_vocabulary(rows)
        width = cast(LanguageModel, language_model).width
        adapters = {
            route: self._make(f"adapters.{route}", config.adapters[route], in_width=encoder.width, out_width=width)
            for route, encoder in encoders.items()
        }
        parts = Parts(
            language_model=language_model,
            encoders={route: cast(nn.Module, encoder) for route, encoder in encoders.items()},
            adapters=adapters,
        )
        self._add_generation(parts, width)
        model = JanusModel(parts)
        transforms = {route: self.transform(f"encoders.{route}") for route in encoders}
        target = self.transform("generation_tokenizer") if model.draws else None
        routes = {
            route: Route(encoder.modality, transforms[route], cast(Adapter, adapters[route]).num_tokens)
            for route, encoder in encoders.items()
        }
        assembler = Assembler(text, self.text_config.chat, routes, target)
        return BuiltModel(model, text, assembler, transforms, target, self.random, self.provenance)

    def _rows(self, text: TextTokenizer) -> int:
        rows = self.config.vocabulary or len(text)
        if rows < len(text):
            raise UserError(
                f"model.vocabulary: {rows} rows are too few for the {len(text)} ids of the text tokenizer",
                "use the text tokenizer that belongs to the weights, or raise model.vocabulary",
            )
        return rows

    def _add_generation(self, parts: Parts, width: int) -> None:
        config = self.config
        if config.generation_tokenizer is None:
            return
        parts.generation_tokenizer = self.part("generation_tokenizer")
        tokenizer = cast(GenerationTokenizer, parts.generation_tokenizer)
        if config.generation_head is None or config.generation_adapter is None:
            return
        try:
            parts.code_layout = tokenizer.layout(config.image_size)
        except ValueError as error:
            raise UserError(f"model.image_size: {error}") from error
        with seeded(self.seed, "code_table"):
            parts.code_table = build_code_table(tokenizer, parts.code_layout, config.code_table)
        parts.generation_adapter = self._make(
            "generation_adapter", config.generation_adapter, in_width=tokenizer.code_width, out_width=width
        )
        parts.generation_head = self._make(
            "generation_head", config.generation_head, width=width, layout=parts.code_layout
        )

    def _choice(self, name: str) -> ComponentChoice:
        head, _, route = name.partition(".")
        found = self.config.encoders.get(route) if head == "encoders" else getattr(self.config, name, None)
        if not isinstance(found, ComponentChoice):
            parts = [f"encoders.{r}" for r in self.config.encoders] + ["generation_tokenizer"]
            raise UserError(f"ref: {name!r} is no part of this model that can be shared", f"parts: {', '.join(parts)}")
        return found

    def part(self, name: str) -> nn.Module:
        """The encoder or tokenizer of this name, built once however many roles it has."""
        if name in self.building:
            raise UserError(f"ref: {' -> '.join([*self.building, name])} goes in a circle")
        if name not in self.built:
            self.building.append(name)
            self.built[name] = self._make(name, self._choice(name))
            self.building.pop()
        return self.built[name]

    def transform(self, name: str) -> Transform:
        chosen = choose(_kind(name), self._choice(name), f"model.{name}")
        return cast(Transform, load(chosen.component, chosen.component.spec.transform)(chosen.options, self._context()))

    def _make(self, name: str, choice: ComponentChoice, **sizes: Any) -> nn.Module:
        chosen = choose(_kind(name), choice, f"model.{name}")
        with seeded(self.seed, name):
            made = make(chosen, self._context(), name, **sizes)
        if getattr(chosen.options, "weights", None) == "none":
            self.random.append(name)
        self.provenance[name] = provenance(chosen.component)
        return cast(nn.Module, made)

    def _context(self) -> BuildContext:
        return BuildContext(self.folder, self.skip_weights, self.config.image_size, self.part, self.transform)

    def _path(self, source: str) -> str:
        return source if source == BYTES else str(locate(self.folder, source))


def make(chosen: Chosen, context: BuildContext, place: str, **sizes: Any) -> object:
    """Call a component's factory; what it refuses becomes a message that names the place in the recipe."""
    try:
        return load(chosen.component, chosen.component.spec.factory)(chosen.options, context, **sizes)
    except (ValueError, OSError) as error:
        raise UserError(f"{place} ({chosen.component.qualified}): {error}") from error


def _kind(name: str) -> str:
    head = name.partition(".")[0]
    return {"encoders": "understanding_encoder", "adapters": "adapter", "generation_adapter": "adapter"}.get(head, head)
