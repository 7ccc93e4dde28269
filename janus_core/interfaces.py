"""What the factories of plugins return, as Protocols, and the small records that the parts exchange.

A component need not inherit anything of ours: an ``nn.Module`` with these members conforms. Factories are called as

* encoder, tokenizer, data source, benchmark: ``build(options, context)``
* adapter: ``build(options, context, *, in_width, out_width)``
* generation head: ``build(options, context, *, width, layout)``
* language model: ``build(options, context, *, vocabulary)``
* transform: ``build_transform(options, context)``

where ``options`` is an instance of the component's pydantic model and ``context`` a `BuildContext`. The caller has
seeded torch's generator from the run's seed and the part's name: draw initial weights from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import argparse

    import torch
    from torch import Tensor, nn

    from janus_core.scores import ScoreCard, ScoredItem

Task = Literal["understanding", "text", "generation"]
TASKS: tuple[Task, ...] = ("understanding", "text", "generation")


class BadRecord(ValueError):
    """A record of a data file that cannot become a sample: it is counted, reported with its place, and skipped."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")
        self.place, self.reason = place, reason


@dataclass(frozen=True, slots=True)
class BuildContext:
    """What a factory may ask of the model that it builds a part of.

    Attributes:
        folder: relative paths in options are relative to it (the recipe's folder).
        skip_weights: do not read ``options.weights``: a checkpoint of ours is loaded over the part at once.
        image_size: side in pixels of the pictures that the model draws.
        resolve: ``resolve("generation_tokenizer")`` gives the built part that an option ``ref`` names.
        resolve_transform: the same for its transform, which needs no weights.
    """

    folder: Path = Path(".")
    skip_weights: bool = False
    image_size: int = 0
    resolve: Callable[[str], nn.Module] | None = None
    resolve_transform: Callable[[str], Transform] | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """One raw input after its transform.

    Attributes:
        inputs: what the component's ``collate`` takes, usually a tensor without batch axis.
        num_tokens: the number of tokens (encoder) or positions (tokenizer) that it becomes, before any adapter.
    """

    inputs: Any
    num_tokens: int


class Transform(Protocol):
    """Raw input -> tensors. Holds no weights, is picklable, and is the same for the same ``digest``.

    Attributes:
        digest: names what it does, options included: equal for transforms that give the same, and for no others.
    """

    digest: str

    def __call__(self, raw: Any) -> Prepared:
        """Prepare one raw input (image: a ``PIL.Image`` in mode RGB); raise `ValueError` if it cannot be used."""
        ...

    def collate(self, prepared: Sequence[Prepared]) -> Any:
        """Batch prepared inputs into what the component's ``forward`` or ``encode`` takes."""
        ...


@dataclass(slots=True)
class Features:
    """A batch of feature tokens.

    Attributes:
        tokens: float [B, N, width].
        mask: bool [B, N], true where a token is real, or None when all are.
        positions: any coordinates that an adapter may use, [B, N, d], or None.
    """

    tokens: Tensor
    mask: Tensor | None = None
    positions: Tensor | None = None

    def to(self, device: torch.device) -> Features:
        """The same on a device."""
        moved = (None if t is None else t.to(device, non_blocking=True) for t in (self.mask, self.positions))
        return Features(self.tokens.to(device, non_blocking=True), *moved)


class UnderstandingEncoder(Protocol):
    """Raw input of one modality -> semantic feature tokens; an ``nn.Module``.

    Attributes:
        modality: as in the record, for example ``image``.
        width: of the tokens that come out.
    """

    modality: str
    width: int

    def forward(self, inputs: Any) -> Features:
        """Encode a collated batch; the number of real tokens of each item equals its ``Prepared.num_tokens``."""
        ...


@dataclass(frozen=True, slots=True)
class CodeLayout:
    """The shape of the codes of one picture.

    Attributes:
        positions: N, the number of positions that the language model predicts.
        grid: (rows, columns) with rows * columns == N in raster order, or None for tokenizers without a grid.
        codebooks: sizes (K1 ... KC) of the C codebooks at each position.
        scales: side of each map of a multi-scale tokenizer, or None.
        kind: ``discrete`` codes, or ``continuous`` latents.
    """

    positions: int
    grid: tuple[int, int] | None
    codebooks: tuple[int, ...]
    scales: tuple[int, ...] | None = None
    kind: Literal["discrete", "continuous"] = "discrete"


class GenerationTokenizer(Protocol):
    """Image <-> codes; an ``nn.Module``.

    Attributes:
        code_width: of the vectors that ``embed`` gives.
    """

    code_width: int

    def layout(self, image_size: int) -> CodeLayout:
        """The codes of a square picture of this side; `ValueError` if the side is not possible."""
        ...

    def encode(self, pixels: Tensor) -> Tensor:
        """float [B, 3, H, W] in [-1, 1] -> int64 [B, N, C]."""
        ...

    def decode(self, codes: Tensor, layout: CodeLayout) -> Tensor:
        """int64 [B, N, C] -> float [B, 3, H, W], about in [-1, 1]; `ValueError` if a code is out of range."""
        ...

    def embed(self, codes: Tensor) -> Tensor:
        """int64 [B, N, C] -> float [B, N, code_width]: the vectors of the codes."""
        ...


class Adapter(Protocol):
    """Feature width -> language-model width; an ``nn.Module``."""

    def num_tokens(self, n: int) -> int:
        """How many tokens come out for n tokens in; must agree exactly with ``forward``."""
        ...

    def forward(self, features: Features) -> Features:
        """[B, N, in_width] -> [B, num_tokens(N), out_width], the mask carried along."""
        ...


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next code or word is chosen.

    Attributes:
        temperature: divides the logits; 0 takes the most likely.
        top_k: keep the k most likely, 0 keeps all.
        top_p: keep the smallest set whose probability reaches this, 1 keeps all.
        guidance: weight of classifier-free guidance, ``free + guidance * (conditional - free)``; 1 is off.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    guidance: float = 1.0


class Noise(Protocol):
    """Gumbel noise keyed by (seed, image, position, codebook): a picture does not depend on its batch."""

    def __call__(self, codebook: int, size: int) -> Tensor:
        """float [rows, size] for the position being drawn."""
        ...


class GenerationHead(Protocol):
    """Hidden states -> codes, and their loss; an ``nn.Module``."""

    def loss(self, hidden: Tensor, codes: Tensor, layout: CodeLayout) -> tuple[Tensor, int]:
        """[M, width] at supervised positions and int64 [M, C] -> (sum of the losses, number of terms M)."""
        ...

    def sample(self, hidden: Tensor, noise: Noise, sampling: Sampling) -> Tensor:
        """[P, width] (guidance 1) or [2P, width], conditional rows then free rows -> int64 [P, C]."""
        ...


@dataclass(frozen=True, slots=True)
class SequenceLayout:
    """How the tokens of a batch lie; each language model makes the attention masks that it needs from it.

    Attributes:
        positions: int64 [R, T], the position of each token in its own sample.
        lengths: for packed training (R == 1, no cache) the lengths of the samples, summing to T: causal attention
            inside each, none across. None: every row is one causal sequence. With a cache a row's tokens may be
            followed by padding: position p of a row sees the cached keys 0 ... p of that row, so that padding on the
            right, whose keys lie behind, changes no result.
    """

    positions: Tensor
    lengths: tuple[int, ...] | None = None


class Cache(Protocol):
    """Keys and values of the tokens so far; keys are stored at their position.

    Attributes:
        rows: sequences side by side.
        length: positions that there is room for in each.
    """

    rows: int
    length: int


class LanguageModel(Protocol):
    """The one causal transformer that all paths share; an ``nn.Module``.

    It, and any other part, may also have ``architecture() -> dict[str, Any]``: options, of values that YAML can hold,
    with which its factory builds the same module without the files that its weights came from. Our checkpoints add them
    to the options of the part, so that they need no other file.

    Attributes:
        width: of embeddings and hidden states.
        vocabulary: rows of the embedding and of the text head.
    """

    width: int
    vocabulary: int

    def embed(self, ids: Tensor) -> Tensor:
        """int64 [...] -> float [..., width]."""
        ...

    def forward(self, embeds: Tensor, layout: SequenceLayout, cache: Cache | None = None) -> Tensor:
        """[R, T, width] -> hidden states after the final norm, [R, T, width]; a cache is extended in place."""
        ...

    def text_logits(self, hidden: Tensor) -> Tensor:
        """[..., width] -> [..., vocabulary]."""
        ...

    def new_cache(self, rows: int, length: int) -> Cache:
        """An empty cache for ``length`` positions in each of ``rows`` rows."""
        ...

    def resize_vocabulary(self, size: int) -> None:
        """Grow or cut the embedding and the text head to ``size`` rows; existing rows keep their values."""
        ...

    def blocks(self) -> Sequence[nn.Module]:
        """The units of sharding and of gradient checkpointing, first to last."""
        ...


class Pretrainable(Protocol):
    """What trains a part alone: ``begin(part, losses, context)`` of a spec's ``pretraining`` gives one.

    ``losses`` is an instance of the model that the spec's ``losses`` names, or None. If it is an ``nn.Module``, it goes
    to the device and into training mode with the part. Of what it holds only the part is saved.

    It may also have

    * ``measure(batches) -> dict[str, float]``: numbers over all held-out batches, in eval mode and without gradient;
      without it the mean of each of ``losses`` over the pictures is taken;
    * ``notes``: a tuple of sentences that must be said of this training, such as a loss that is off.
    """

    def optimizer_groups(self) -> list[dict[str, Any]]:
        """Parameter groups in torch's format, with two keys more.

        ``factor`` multiplies the recipe's learning rate (default 1). ``loss`` names the loss that the group minimises
        (default ``loss``): the groups of each name have an optimiser of their own, and get no gradient of any other.
        """
        ...

    def losses(self, batch: Mapping[str, Any], step: int) -> dict[str, Tensor]:
        """``{"loss": scalar to minimise, ...}`` after ``step`` steps; the others are logged.

        ``batch`` holds ``inputs`` (collated by the part's transform) and ``captions`` (list of str). A loss that the
        groups name and that is left out is not minimised in this step; no two of them share a graph.
        """
        ...


@dataclass(frozen=True, slots=True)
class Given:
    """A part of a message: an input to understand.

    Attributes:
        route: name of the route that takes it.
        raw: what the transform of the route's encoder takes.
    """

    route: str
    raw: Any


@dataclass(frozen=True, slots=True)
class Target:
    """A part of a message: a picture to draw.

    Attributes:
        raw: a ``PIL.Image``.
    """

    raw: Any


@dataclass(frozen=True, slots=True)
class Message:
    """One turn: ``user`` and ``assistant`` are set in the chat template, ``plain`` is taken as it is.

    The loss is taken on what the assistant says or draws and on plain text.

    Attributes:
        role: who speaks.
        parts: text, inputs and pictures in order.
    """

    role: Literal["system", "user", "assistant", "plain"]
    parts: tuple[str | Given | Target, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One training example.

    Attributes:
        id: unique in its source and stable, for logs and resuming.
        task: which part of the mixture it belongs to.
        messages: the turns.
        facts: what an evaluation may want to know of it (never shown to the model).
    """

    id: str
    task: Task
    messages: tuple[Message, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)


class DataSource(Protocol):
    """A sized, random-access reader; ``source[i]`` is the same at any time and in any process."""

    def __len__(self) -> int:
        """How many records there are, unusable ones included."""
        ...

    def __getitem__(self, index: int) -> Sample:
        """The sample at this index; raises `BadRecord` if it is unusable."""
        ...


class Command(Protocol):
    """A sub-command of the CLI."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options; nothing heavy is imported here, since ``--help`` calls it."""
        ...

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it and return the exit code; a `UserError` is shown without a traceback."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """One thing that a benchmark asks.

    Attributes:
        id: stable over runs, unique among the questions of one call.
        text: the words of the prompt, after the images.
        images: files or PIL images (RGB); files are opened when their batch is asked.
        options: texts to rank instead of answering freely (see `BenchmarkWork.losses`).
    """

    id: str
    text: str
    images: tuple[Any, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn picture of a benchmark.

    Attributes:
        path: the PNG file.
        prompt: number of its prompt.
        number: its own among those of the prompt.
    """

    path: Path
    prompt: int
    number: int


class BenchmarkWork(Protocol):
    """What a benchmark is given to run with; whatever was answered or drawn before a stop is not done again.

    Attributes:
        session: a `janus_core.inference.session.Session`.
        protocol: the name after the ``@``.
        data: the folder that the user has put the benchmark's files into.
        limit: only so many items, taken by the benchmark from the front of its list.
        seed: of the drawings.
        folder: where the benchmark may write files of its own, such as predictions in the official format.
    """

    session: Any
    protocol: str
    data: Path | None
    limit: int | None
    seed: int
    folder: Path

    def answer(
        self, name: str, questions: Sequence[Question], *, max_new_tokens: int, system: str | None = None
    ) -> list[str]:
        """Greedy answers, one a question; ``name`` tells several calls of one run apart."""
        ...

    def losses(self, name: str, questions: Sequence[Question], *, system: str | None = None) -> list[list[float]]:
        """For each question the mean loss in nats a token of each of its options as the answer."""
        ...

    def draw(
        self, name: str, prompts: Sequence[str], *, images_per_prompt: int = 1, sampling: Sampling | None = None
    ) -> list[Picture]:
        """Drawings as PNG files, prompt by prompt; each is keyed by the seed and its number, whatever the batch."""
        ...

    def progress(self, items: Iterable[Any], what: str) -> Iterable[Any]:
        """The items, with a bar where the user wants one."""
        ...


class Benchmark(Protocol):
    """Measures a model; ``protocol`` is always one of those that its spec declares."""

    def run(self, work: BenchmarkWork) -> ScoreCard:
        """Ask and draw what the protocol wants of the model, and score it."""
        ...

    def aggregate(self, protocol: str, items: Sequence[ScoredItem]) -> Mapping[str, float]:
        """The scores of any multiset of items of a card, by name; NaN where one is not defined.

        For the items of a card it gives the card's scores; resampled, their spread.
        """
        ...


@runtime_checkable
class ScoresFiles(Protocol):
    """A benchmark that scores predictions which any toolkit has written."""

    def score(self, protocol: str, predictions: Path, annotations: Path | None) -> ScoreCard:
        """Score a file or folder of predictions against the official annotations (None: they are in the predictions).

        Raises:
            UserError: a file is missing or malformed; the place and the item are named.
        """
        ...


def device_of(module: nn.Module) -> torch.device:
    """The device of a module's first parameter or buffer (cpu if it has none)."""
    import itertools

    import torch

    tensor = next(itertools.chain(module.parameters(), module.buffers()), None)
    return tensor.device if tensor is not None else torch.device("cpu")
