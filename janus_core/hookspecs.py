"""The hooks by which plugins declare components, one a kind, and the spec records that the hooks yield.

A plugin is a module named by an entry point of the group ``janus.plugins``. It holds ``JANUS_HOOK_API`` and hook
implementations, and imports only the standard library and this module. Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pluggy

from janus_registry.spec import ComponentSpec, SpecError, check_reference

GROUP = "janus.plugins"
HOOK_API: tuple[int, int] = (1, 0)

hookspec = pluggy.HookspecMarker("janus")
hookimpl = pluggy.HookimplMarker("janus")


@dataclass(frozen=True, slots=True)
class Rename:
    """One key, or every key that begins with it: ``ours`` in the component <-> ``theirs`` in the foreign file.

    Both sides are whole dotted prefixes: ``Rename("blocks.0", "layers.0")`` moves ``blocks.0.norm.weight`` and leaves
    ``blocks.01.norm.weight`` alone. The longest matching prefix wins.

    Attributes:
        ours: key or prefix in the component.
        theirs: key or prefix in the foreign file.
        shape: ``squeeze``: the foreign tensor lacks the leading axis of length 1; ``linear``: a 1x1 convolution here is
            a linear layer there; empty: the shapes are the same.
    """

    ours: str
    theirs: str
    shape: str = ""


@dataclass(frozen=True, slots=True)
class Split:
    """One tensor of ours that the foreign file holds in equal parts along dim 0 (a fused q, k, v projection).

    Attributes:
        ours: key in the component.
        theirs: keys in the foreign file, in order.
    """

    ours: str
    theirs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a component's own keys are named in a foreign checkpoint format; reversible, used for reading and writing.

    Attributes:
        rules: renames and splits of the component's keys; a key that no rule names keeps its name.
        carried: prefixes of *our* keys that the component holds but never computes with, and that the format lacks
            (empty: it has them all).
        ignored: prefixes of *their* keys that belong to no module of ours (a discriminator, an EMA copy).
        prefixes: wrappers that published files put before every key (``state_dict.``, ``model.``), tried in order.
    """

    rules: tuple[Rename | Split, ...] = ()
    carried: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderstandingEncoderSpec(ComponentSpec):
    """An encoder of one modality: raw input -> feature tokens.

    Attributes:
        transform: ``package.module:attribute`` of ``build_transform(options, context) -> Transform``.
        modality: ``image``, ``audio``, ``video``, ``points`` ...
        layouts: per foreign checkpoint format, the names of this component's keys there.
        pretraining: ``package.module:attribute`` of ``begin(part, losses, context) -> Pretrainable``, which trains the
            part alone; empty: it cannot be.
        losses: ``package.module:attribute`` of the pydantic model (``extra="forbid"``) of ``losses``; empty: None is
            given.
    """

    transform: str
    modality: str = "image"
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    pretraining: str = ""
    losses: str = ""

    def __post_init__(self) -> None:
        ComponentSpec.__post_init__(self)
        check_reference(self.transform, "transform")
        _check_pretraining(self.pretraining, self.losses)


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationTokenizerSpec(ComponentSpec):
    """A tokenizer of images: image <-> codes.

    Attributes:
        transform: ``package.module:attribute`` of ``build_transform(options, context) -> Transform``.
        layouts: per foreign checkpoint format, the names of this component's keys there.
        pretraining: ``package.module:attribute`` of ``begin(part, losses, context) -> Pretrainable``, which trains the
            part alone; empty: it cannot be.
        losses: ``package.module:attribute`` of the pydantic model (``extra="forbid"``) of ``losses``; empty: None is
            given.
    """

    transform: str
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    pretraining: str = ""
    losses: str = ""

    def __post_init__(self) -> None:
        ComponentSpec.__post_init__(self)
        check_reference(self.transform, "transform")
        _check_pretraining(self.pretraining, self.losses)


def _check_pretraining(pretraining: str, losses: str) -> None:
    for role, reference in (("pretraining", pretraining), ("losses", losses)):
        if reference:
            check_reference(reference, role)
    if losses and not pretraining:
        raise SpecError(f"losses {losses!r} are of no use without pretraining")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSpec(ComponentSpec):
    """A map from feature width to language-model width, which may also change the number of tokens.

    Attributes:
        layouts: per foreign checkpoint format, the names of this component's keys there.
    """

    layouts: Mapping[str, Layout] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationHeadSpec(ComponentSpec):
    """A map from hidden states to codes, with the loss of the codes.

    Attributes:
        layouts: per foreign checkpoint format, the names of this component's keys there.
    """

    layouts: Mapping[str, Layout] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModelSpec(ComponentSpec):
    """The causal transformer that every path shares.

    Attributes:
        layouts: per foreign checkpoint format, the names of this component's keys there.
    """

    layouts: Mapping[str, Layout] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSourceSpec(ComponentSpec):
    """A reader that yields samples.

    Attributes:
        tasks: which of ``understanding``, ``text`` and ``generation`` its samples can be.
    """

    tasks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolSpec:
    """One way of prompting and scoring a benchmark; written ``benchmark@name``.

    Attributes:
        name: the part after the ``@``.
        summary: one line for listings.
        version: goes up whenever a number could change; numbers of two versions are not compared.
        prompts: whose prompts a run uses (``janus``, ``llava`` ...).
    """

    name: str
    summary: str
    version: int = 1
    prompts: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkSpec(ComponentSpec):
    """A benchmark: items to run a model on, and the scores of what it said or drew.

    Attributes:
        protocols: its protocols; the first is taken where the user names none.
        tasks: which of ``understanding`` and ``generation`` it measures.
        data: what the folder ``--data`` must hold; empty: it brings its own data.
    """

    protocols: tuple[ProtocolSpec, ...]
    tasks: tuple[str, ...]
    data: str = ""

    def __post_init__(self) -> None:
        ComponentSpec.__post_init__(self)
        names = [protocol.name for protocol in self.protocols]
        if not names or len(set(names)) < len(names):
            raise SpecError(f"benchmark {self.name!r} needs protocols with different names, and has {names}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSpec:
    """A sub-command of ``janus``.

    Attributes:
        name: what is typed after ``janus``; a built-in command of the same name hides it, ``plugin/name`` always works.
        summary: one line for ``janus --help``.
        factory: ``package.module:attribute`` of a class that is called without arguments and gives a `Command`.
    """

    name: str
    summary: str
    factory: str

    def __post_init__(self) -> None:
        check_reference(self.factory, "factory")


class JanusHooks:
    """The hook specifications; every hook takes no argument and yields spec records."""

    @hookspec
    def janus_understanding_encoders(self) -> Iterable[UnderstandingEncoderSpec]:
        """Declare understanding encoders (since 1.0)."""
        raise AssertionError("a hook specification is never called")

    @hookspec
    def janus_generation_tokenizers(self) -> Iterable[GenerationTokenizerSpec]:
        """Declare generation tokenizers (since 1.0)."""
        raise AssertionError("a hook specification is never called")

    @hookspec
    def janus_adapters(self) -> Iterable[AdapterSpec]:
        """Declare adapters (since 1.0)."""
        raise AssertionError("a hook specification is never called")

    @hookspec
    def janus_generation_heads(self) -> Iterable[GenerationHeadSpec]:
        """Declare generation heads (since 1.0)."""
        raise AssertionError("a hook specification is never called")

    @hookspec
    def janus_language_models(self) -> Iterable[LanguageModelSpec]:
        """Declare language models (since 1.0)."""
        raise AssertionError("a hook specification is never called")

    @hookspec
    def janus_data_sources(self) -> Iterable[DataSourceSpec]:
        """Declare data sources (since 1.0)."""
        raise AssertionError("a hook specification is never called")

    @hookspec
    def janus_benchmarks(self) -> Iterable[BenchmarkSpec]:
        """Declare benchmarks (since 1.0)."""
        raise AssertionError("a hook specification is never called")

    @hookspec
    def janus_commands(self) -> Iterable[CommandSpec]:
        """Declare sub-commands of ``janus`` (since 1.0)."""
        raise AssertionError("a hook specification is never called")


HOOKS: Mapping[str, tuple[str, type]] = {
    "understanding_encoder": ("janus_understanding_encoders", UnderstandingEncoderSpec),
    "generation_tokenizer": ("janus_generation_tokenizers", GenerationTokenizerSpec),
    "adapter": ("janus_adapters", AdapterSpec),
    "generation_head": ("janus_generation_heads", GenerationHeadSpec),
    "language_model": ("janus_language_models", LanguageModelSpec),
    "data_source": ("janus_data_sources", DataSourceSpec),
    "benchmark": ("janus_benchmarks", BenchmarkSpec),
    "command": ("janus_commands", CommandSpec),
}
"""Kind -> (hook, type of the records that it yields)."""
