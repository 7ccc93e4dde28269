"""A judge that says what is written down, item by item."""

from __future__ import annotations

from pathlib import Path

from janus_bench.judges.judge import Reply, Request
from janus_bench.suite.reading import field, read_json
from janus_core.errors import UserError


class RecordedReplies:
    """Replies by item in the order of its calls: ``{id: {"match": text of the question, "replies": [...]}}``.

    A request is of the item whose text begins the last row of the prompt's table, and of several the longest.

    Args:
        model: the model that made them.

    Raises:
        UserError: the file is malformed.
    """

    stand_in = ""

    def __init__(self, path: Path, model: str) -> None:
        self.id = f"{model} as recorded in {path.name}"
        self._path, self._model = path, model
        content = read_json(path)
        if not isinstance(content, dict):
            raise UserError(f"{path} is no object of replies by id", "{id: {match: …, replies: […]}}")
        self._replies: dict[str, list[str]] = {}
        for name, record in content.items():
            place = f"{path}, {name}"
            if not isinstance(record, dict):
                raise UserError(f"{place} is no object", "{match: …, replies: […]}")
            replies = field(record, "replies", list, place)
            self._replies.setdefault(field(record, "match", str, place), []).extend(map(str, replies))
        self._next = dict.fromkeys(self._replies, 0)

    def ask(self, request: Request) -> Reply:
        """The next reply of the item that the prompt is about."""
        matches = [match for match in self._replies if f"\n{match} | " in request.prompt]
        if not matches:
            raise UserError(f"{self._path} has no replies for {request.name}", "record what the judge says to it")
        match = max(matches, key=lambda text: (request.prompt.rfind(f"\n{text} | "), len(text)))
        number = self._next[match]
        if number == len(self._replies[match]):
            raise UserError(
                f"{self._path} has {number} replies for {match!r}, and {request.name} needs one more",
                "record more, or grade in fewer runs",
            )
        self._next[match] = number + 1
        return Reply(self._replies[match][number], self._model)
