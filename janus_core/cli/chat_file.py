"""A conversation in a JSON file -> messages; the form of deepseek-ai/Janus' demos is understood.

``[{"role": "user", "content": "<image>\\nwhat is this?", "images": ["cat.png"]}, {"role": "assistant", …}, …]``
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

from janus_core.data.images import ImageError, load_image
from janus_core.errors import UserError
from janus_core.interfaces import Given, Message

ROLES: dict[str, Literal["user", "assistant", "system"]] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
}
MARK = re.compile(r"<image_placeholder>|<image>")
REMEDY = (
    'write [{"role": "user", "content": "<image>\\nwhat is this?", "images": ["cat.png"]}]; the last one is the user\'s'
)


def read_chat(path: Path, route: str) -> list[Message]:
    """The messages of a file; paths of images are relative to it.

    Args:
        route: the understanding route that images go through.

    Raises:
        UserError: the file is no conversation that ends with a user's message, or an image cannot be read.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is no JSON: {error}", REMEDY) from error
    turns = found.get("messages") if isinstance(found, dict) else found
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise UserError(f"{path} holds no list of messages", REMEDY)
    messages = [_message(turn, f"{path}: message {i}", path.parent, route) for i, turn in enumerate(turns, start=1)]
    if messages and messages[-1].role == "assistant" and not messages[-1].parts:
        messages.pop()  # the demos leave an empty answer to be filled
    if not messages or messages[-1].role != "user":
        raise UserError(f"{path} does not end with a user's message, so there is nothing to answer", REMEDY)
    return messages


def _message(turn: dict[str, Any], place: str, folder: Path, route: str) -> Message:
    role = ROLES.get(str(turn.get("role", "")).strip("<|>").lower())
    content, names = turn.get("content"), turn.get("images", [])
    if role is None or not isinstance(content, str) or not isinstance(names, list):
        raise UserError(f"{place}: role, content or images are not as they must be: {turn!r:.120}", REMEDY)
    texts = MARK.split(content.strip())
    if len(texts) == 1 and names:  # not marked: before the text, each on a line of its own
        texts = ["", *["\n"] * (len(names) - 1), f"\n{texts[0]}"]
    if len(texts) - 1 != len(names):
        raise UserError(f"{place}: {len(names)} images, but {len(texts) - 1} marks <image> in the content", REMEDY)
    parts: list[str | Given] = [texts[0]]
    for name, text in zip(names, texts[1:], strict=True):
        try:
            parts += [Given(route, load_image(folder / str(name))), text]
        except ImageError as error:
            raise UserError(f"{place}: {error}", "give a PNG, JPEG, WebP, GIF ... file") from error
    return Message(role, tuple(part for part in parts if part))
