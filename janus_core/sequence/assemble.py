"""One sample -> its tokens, in order, with the places that encoders fill and that losses read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from janus_core.interfaces import BadRecord, Given, Message, Prepared, Sample, Target, Task, Transform
from janus_core.text.chat import ChatTemplate
from janus_core.text.tokenizer import TextTokenizer


@dataclass(frozen=True, slots=True)
class Route:
    """What the sequence must know of an understanding route.

    Attributes:
        modality: decides the tokens around the input.
        transform: raw -> Prepared.
        num_tokens: tokens of the encoder -> tokens after the adapter.
    """

    modality: str
    transform: Transform
    num_tokens: Callable[[int], int]


@dataclass(frozen=True, slots=True)
class Place:
    """Where prepared data lies in a sample: ``length`` tokens from ``start``."""

    start: int
    length: int
    prepared: Prepared


@dataclass(slots=True)
class Assembled:
    """One sample as tokens.

    Attributes:
        ids: text ids; the pad id stands where features or codes are put in.
        text_targets: (position, id): the hidden state at the position predicts the id.
        given: inputs by route, in order.
        targets: pictures to draw; the code at position p is predicted by the hidden state at p - 1.
    """

    id: str
    task: Task
    ids: list[int] = field(default_factory=list)
    text_targets: list[tuple[int, int]] = field(default_factory=list)
    given: list[tuple[str, Place]] = field(default_factory=list)
    targets: list[Place] = field(default_factory=list)


class Assembler:
    """Turns samples and prompts into tokens; training and inference share it, so that they cannot differ."""

    def __init__(
        self,
        text: TextTokenizer,
        chat: ChatTemplate,
        routes: Mapping[str, Route],
        target_transform: Transform | None,
    ) -> None:
        self.text, self.chat, self.routes, self.target_transform = text, chat, routes, target_transform

    def sample(self, sample: Sample, *, drop_condition: bool = False, system: str | None = None) -> Assembled:
        """Assemble a sample; with ``drop_condition`` every token between BOS and the picture becomes pad.

        Args:
            system: in place of the chat template's own words.

        Raises:
            BadRecord: an input cannot be prepared, or the sample needs a route or a head that the model lacks.
        """
        out = self._assemble(sample.id, sample.task, sample.messages, self._system(sample.task, system))
        if drop_condition:
            self.drop_condition(out)
        return out

    def prompt(self, messages: tuple[Message, ...], task: Task, system: str | None = None) -> Assembled:
        """Assemble the tokens before an answer or a picture: a generation prompt ends with the begin token."""
        out = self._assemble("prompt", task, (*messages, Message("assistant", ())), self._system(task, system))
        if task == "generation":
            out.ids.append(self.text.begin("image"))
        return out

    def drop_condition(self, assembled: Assembled) -> None:
        """Replace the prompt by pads, keeping BOS, the begin token and the length, as Janus' inference does."""
        end = assembled.targets[0].start - 1 if assembled.targets else len(assembled.ids) - 1
        assembled.ids[1:end] = [self.text.pad] * (end - 1)

    def _system(self, task: Task, given: str | None) -> str:
        return self.chat.system if given is None and task == "understanding" else (given or "")

    def _assemble(self, identity: str, task: Task, messages: tuple[Message, ...], system: str) -> Assembled:
        out = Assembled(identity, task, [self.text.bos])
        for message in messages:
            for part in message.parts:
                if isinstance(part, str) and (token := self.text.control_token_in(part)):
                    raise BadRecord(identity, f"the text contains the control token {token}")
        for chunk in self.chat.render(messages, system=system, eos=self.text.special.eos):
            if isinstance(chunk.content, str):
                ids = self.text.encode(chunk.content)
                if chunk.supervised:
                    out.text_targets += [(len(out.ids) + i - 1, token) for i, token in enumerate(ids)]
                out.ids += ids
            elif isinstance(chunk.content, Given):
                self._given(out, chunk.content)
            else:
                self._target(out, chunk.content)
        return out

    def _given(self, out: Assembled, part: Given) -> None:
        route = self.routes.get(part.route)
        if route is None:
            have = ", ".join(sorted(self.routes)) or "none"
            raise BadRecord(out.id, f"the model has no understanding route {part.route!r} (it has: {have})")
        prepared = _prepare(route.transform, part.raw, out.id)
        length = route.num_tokens(prepared.num_tokens)
        out.ids.append(self.text.begin(route.modality))
        out.given.append((part.route, Place(len(out.ids), length, prepared)))
        out.ids += [self.text.pad] * length
        out.ids.append(self.text.end(route.modality))

    def _target(self, out: Assembled, part: Target) -> None:
        if self.target_transform is None:
            raise BadRecord(out.id, "the model has no generation tokenizer and head, so it cannot learn to draw")
        prepared = _prepare(self.target_transform, part.raw, out.id)
        out.ids.append(self.text.begin("image"))
        out.targets.append(Place(len(out.ids), prepared.num_tokens, prepared))
        out.ids += [self.text.pad] * prepared.num_tokens


def _prepare(transform: Transform, raw: object, place: str) -> Prepared:
    try:
        return transform(raw)
    except BadRecord:
        raise
    except (ValueError, OSError) as error:
        raise BadRecord(place, str(error)) from error
