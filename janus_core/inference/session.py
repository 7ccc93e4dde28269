"""A loaded model that answers and draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from PIL import Image
from torch import Tensor

from janus_core.errors import UserError
from janus_core.inference.decode import Kept, Steps, decode_codes, decode_text, no_progress
from janus_core.inference.rank import answer_losses
from janus_core.interfaces import BadRecord, GenerationTokenizer, Given, Message, Sample, Sampling, device_of
from janus_core.model.build import BuiltModel
from janus_core.sequence.assemble import Assembled

GREEDY = Sampling(temperature=0.0)


@dataclass(slots=True)
class Drawing:
    """A drawn picture, its codes int64 [N, C] and what made it."""

    image: Image.Image
    codes: Tensor
    prompt: str
    seed: int
    number: int


@dataclass(slots=True)
class Session:
    """A built model and how to talk to it.

    Attributes:
        built: the model, in eval mode while it answers or draws.
        name: what made it, for reports.
        facts: from its checkpoint: recipe name, provenance, random parts.
    """

    built: BuiltModel
    name: str = "model"
    facts: dict[str, Any] = field(default_factory=dict)

    def answer(
        self,
        conversations: Sequence[Sequence[Message]],
        *,
        max_new_tokens: int = 64,
        sampling: Sampling = GREEDY,
        seed: int = 0,
        batch_size: int = 16,
        system: str | None = None,
        on_text: Callable[[int, str], None] | None = None,
    ) -> list[str]:
        """Answer conversations that end with a user's message; a question needs no picture.

        Args:
            on_text: called as (conversation, text so far) while the answer grows.

        Raises:
            UserError: a conversation names a route that the model lacks, or its input cannot be used.
        """
        prompts = [self._prompt(tuple(messages), "understanding", system) for messages in conversations]
        answers: list[str] = []
        decode = self.built.text.decode
        for start in range(0, len(prompts), batch_size):
            part = prompts[start : start + batch_size]

            def grow(row: int, ids: list[int], start: int = start) -> None:
                if on_text is not None:
                    on_text(start + row, decode(ids).strip())

            with self._evaluating():
                ids = decode_text(
                    self.built,
                    part,
                    max_new_tokens=max_new_tokens,
                    sampling=sampling,
                    keys=[(seed, start + row) for row in range(len(part))],
                    on_text=grow,
                )
            answers += [decode(row).strip() for row in ids]
        return answers

    def losses(
        self,
        conversations: Sequence[Sequence[Message]],
        options: Sequence[Sequence[str]],
        *,
        system: str | None = None,
    ) -> list[list[float]]:
        """How unlikely each of a conversation's options is as its answer: mean loss in nats a token, the end included.

        Raises:
            UserError: a conversation names a route that the model lacks, or its input cannot be used.
        """
        found = []
        for messages, texts in zip(conversations, options, strict=True):
            samples = [Sample("option", "understanding", (*messages, Message("assistant", (text,)))) for text in texts]
            try:
                assembled = [self.built.assembler.sample(sample, system=system) for sample in samples]
            except BadRecord as error:
                raise UserError(error.reason) from error
            with self._evaluating():
                found.append(answer_losses(self.built, assembled))
        return found

    def ask(self, image: Image.Image | None, question: str, **options: Any) -> str:
        """Answer one question, about a picture (PIL, RGB) or about nothing."""
        return self.answer([[self.question([] if image is None else [image], question)]], **options)[0]

    def question(self, images: Sequence[Image.Image], question: str) -> Message:
        """A user's message: pictures (PIL, RGB), each on a line of its own, and then the question."""
        parts = [part for image in images for part in (Given(self.image_route(), image), "\n")]
        return Message("user", (*parts, question))

    def draw(
        self,
        prompts: Sequence[str],
        *,
        images_per_prompt: int = 1,
        sampling: Sampling = Sampling(),  # noqa: B008 -- frozen
        seed: int = 0,
        negative: str | None = None,
        batch_size: int = 16,
        first: int = 0,
        kept: Kept | None = None,
        progress: Steps = no_progress,
    ) -> list[Drawing]:
        """Draw pictures, prompt by prompt; picture i of the request is the same in any batch.

        Args:
            negative: what guidance leads away from, in place of no prompt.
            first: number of the first picture, where a request is made in parts.
            kept: codes of a given picture that stay as they are (see `janus_core.inference.inpaint`).

        Raises:
            UserError: the model cannot draw.
        """
        model = self.built.model
        if not model.draws:
            raise UserError(
                "this model has no generation parts, so it cannot draw", "train with a recipe that has them"
            )
        wanted = [(prompt, number) for prompt in prompts for number in range(images_per_prompt)]
        assembled = {prompt: self._prompt((Message("user", (prompt,)),), "generation", "") for prompt in set(prompts)}
        against = None if negative is None else self._prompt((Message("user", (negative,)),), "generation", "")
        drawings: list[Drawing] = []
        for start in range(0, len(wanted), batch_size):
            part = wanted[start : start + batch_size]
            with self._evaluating():
                codes = decode_codes(
                    self.built,
                    [assembled[prompt] for prompt, _ in part],
                    keys=[(seed, first + start + row) for row in range(len(part))],
                    sampling=sampling,
                    negative=against,
                    kept=kept,
                    steps=progress,
                )
                pictures = self.render(codes)
            drawings += [
                Drawing(picture, code.cpu(), prompt, seed, first + start + row)
                for row, ((prompt, _), picture, code) in enumerate(zip(part, pictures, codes, strict=True))
            ]
        return drawings

    @torch.inference_mode()
    def render(self, codes: Tensor) -> list[Image.Image]:
        """Codes int64 [P, N, C] -> pictures."""
        model = self.built.model
        assert model.code_layout is not None
        tokenizer = cast(GenerationTokenizer, model.generation_tokenizer)
        pixels = tokenizer.decode(codes.to(device_of(model)), model.code_layout)
        return [to_image(item) for item in pixels]

    def image_route(self) -> str:
        """The first route that takes images."""
        for route, item in self.built.assembler.routes.items():
            if item.modality == "image":
                return route
        have = ", ".join(self.built.assembler.routes) or "none"
        raise UserError(f"this model has no understanding route for images (routes: {have})")

    def _prompt(self, messages: tuple[Message, ...], task: Any, system: str | None) -> Assembled:
        try:
            return self.built.assembler.prompt(messages, task, system)
        except BadRecord as error:
            raise UserError(error.reason) from error

    def _evaluating(self) -> _Evaluating:
        return _Evaluating(self.built.model)


class _Evaluating:
    """Eval mode within, the former mode after: drawing samples must not end a training step's mode."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._model, self._training = model, model.training

    def __enter__(self) -> None:
        self._model.eval()

    def __exit__(self, *error: object) -> None:
        self._model.train(self._training)


def printable(text: str) -> str:
    """A model's words without control characters, which an untrained model says and a terminal obeys."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "\N{MIDDLE DOT}" for letter in text)


def to_image(pixels: Tensor) -> Image.Image:
    """float [3, H, W], clipped to [-1, 1] -> PIL image: ``(x + 1) / 2 * 255`` (as Janus)."""
    scaled = ((pixels.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return Image.fromarray(scaled.permute(1, 2, 0).cpu().numpy())
