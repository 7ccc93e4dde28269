"""``llava``: conversations about images in LLaVA's JSON format (also one a line)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from janus_core.interfaces import BadRecord, BuildContext, Given, Message, Sample
from janus_file_sources.options import LlavaOptions
from janus_file_sources.pictures import image_folder, read_image
from janus_file_sources.records import JsonArray, JsonLines

MARK = "<image>"
ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}


class Llava:
    """One sample a conversation; each ``<image>`` in a question stands for the record's next image."""

    def __init__(self, options: LlavaOptions, folder: Path) -> None:
        path = folder / options.path
        self._options = options
        self._records = JsonLines(path) if path.suffix == ".jsonl" else JsonArray(path)
        self._images = image_folder(options.images, folder, path)

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> Sample:
        place, record = self._records.place(index), self._records[index]
        turns = record.get("conversations")
        if not isinstance(turns, list) or not turns:
            raise BadRecord(place, "'conversations' must be a list of turns that is not empty")
        names = record.get("image") or []
        names = names if isinstance(names, list) else [names]
        if names and self._options.task == "text":
            raise BadRecord(place, "the record has an image, but task: text is for conversations without")
        images = [read_image(self._images / str(name), place) for name in names]
        return Sample(place, self._options.task, self._messages(turns, images, place))

    def _messages(self, turns: list[Any], images: list[Image.Image], place: str) -> tuple[Message, ...]:
        left = list(images)
        messages: list[Message] = []
        for turn in turns:
            role = ROLES.get(str(turn.get("from"))) if isinstance(turn, dict) else None
            text = turn.get("value") if isinstance(turn, dict) else None
            if role is None or not isinstance(text, str):
                raise BadRecord(
                    place, f"a turn must have 'from' ({', '.join(ROLES)}) and a text 'value', not {turn!r:.80}"
                )
            messages.append(Message(role, self._parts(text, left, place)))  # type: ignore[arg-type]
        if left:
            raise BadRecord(place, f"{len(images)} images, but {len(images) - len(left)} times {MARK} in the turns")
        if messages[-1].role != "assistant":
            raise BadRecord(place, "the conversation does not end with an answer")
        return tuple(messages)

    def _parts(self, text: str, left: list[Image.Image], place: str) -> tuple[str | Given, ...]:
        before, *rest = text.split(MARK)
        parts: list[str | Given] = [before]
        for part in rest:
            if not left:
                raise BadRecord(place, f"more {MARK} in the turns than images in the record")
            parts += [Given(self._options.route, left.pop(0)), part]
        return tuple(part for part in parts if part)


def build(options: LlavaOptions, context: BuildContext) -> Llava:
    """Open the reader; `ValueError` if the file does not exist or is no list."""
    return Llava(options, context.folder)
