"""What lmms-eval asks, in our words: messages -> turns, generation settings -> sampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from janus_core.errors import UserError
from janus_core.interfaces import Given, Message, Sampling

KNOWN = frozenset(
    ("max_new_tokens", "until", "do_sample", "temperature", "top_p", "top_k", "num_beams", "max_gen_toks")
)
MAX_NEW_TOKENS = 1024
"""Of a task that sets none; the chat models of lmms-eval take up to 4096."""


@dataclass(frozen=True, slots=True)
class Generation:
    """How a request wants its words.

    Attributes:
        until: the answer ends before the first of these.
    """

    max_new_tokens: int
    sampling: Sampling
    until: tuple[str, ...]


def turns(messages: Sequence[Mapping[str, Any]], route: str | None) -> tuple[str | None, tuple[Message, ...]]:
    """Chat messages ``{"role", "content": [{"type": "text" | "image", ...}]}`` -> the system text and our turns.

    Args:
        route: where images go; None for a model that has none.

    Raises:
        UserError: a part is neither text nor an image, or there is an image and no route.
    """
    system: list[str] = []
    found = []
    for message in messages:
        parts = [_part(part, route) for part in _contents(message["content"])]
        if message["role"] == "system":
            system += [part for part in parts if isinstance(part, str)]
        else:
            found.append(Message(message["role"], tuple(_with_breaks(parts))))
    return ("\n".join(system) or None), tuple(found)


def generation(settings: Mapping[str, Any]) -> Generation:
    """The settings of a task; without ``do_sample`` the most likely word is taken, whatever the temperature.

    Raises:
        UserError: beams or a setting that this bridge does not know: it would be ignored.
    """
    unknown = sorted(set(settings) - KNOWN)
    if unknown or (settings.get("num_beams") or 1) != 1:
        what = f"generation settings {', '.join(unknown)}" if unknown else f"num_beams={settings['num_beams']}"
        raise UserError(f"{what} cannot be had from this model", "change generation_kwargs of the task")
    temperature = float(settings.get("temperature") or 0)
    if settings.get("do_sample") is False:  # as transformers, which most tasks were written for
        temperature = 0.0
    until = settings.get("until") or ()
    tokens = settings.get("max_new_tokens") or settings.get("max_gen_toks") or MAX_NEW_TOKENS
    sampling = Sampling(
        temperature=temperature, top_k=int(settings.get("top_k") or 0), top_p=float(settings.get("top_p") or 1)
    )
    return Generation(int(tokens), sampling, (until,) if isinstance(until, str) else tuple(until))


def cut(answer: str, until: Sequence[str]) -> str:
    """The answer before the first stop."""
    ends = [at for stop in until if stop and (at := answer.find(stop)) >= 0]
    return answer[: min(ends)] if ends else answer


def _contents(content: Any) -> list[Mapping[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def _part(part: Mapping[str, Any], route: str | None) -> str | Given:
    kind = part.get("type")
    if kind == "text":
        return str(part["text"])
    if kind != "image":
        raise UserError(f"a task gives {kind!r}, and this model takes text and images", "choose another task")
    if route is None:
        raise UserError("a task gives an image, and this model has no understanding route for images")
    image = part["url"]
    if not isinstance(image, Image.Image):
        with Image.open(image) as opened:
            image = opened.convert("RGB")
    return Given(route, image.convert("RGB"))


def _with_breaks(parts: Sequence[str | Given]) -> list[str | Given]:
    """A line for each image, as `janus_core.inference.session.Session.question` sets them."""
    found: list[str | Given] = []
    for part in parts:
        found += [part, "\n"] if isinstance(part, Given) else [part]
    return found
