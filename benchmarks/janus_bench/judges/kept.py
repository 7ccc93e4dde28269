"""Keeps every reply of a judge in JSON lines, so that a stopped grading goes on and a report can be checked offline."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

from janus_bench.judges.judge import Judge, Reply, Request
from janus_bench.suite.reading import field
from janus_core.errors import UserError


class KeptReplies:
    """A judge whose replies are looked up before they are asked for.

    A reply is found by the model and by all of the request, its name with it: gradings repeated with one prompt are
    different calls.

    Args:
        path: the JSON lines; a last line that was cut off is passed over.
        model: the model that the replies are of.
        judge: who is asked for what is not there; None: nobody.

    Raises:
        UserError: the file is malformed, or there is none and no judge.
    """

    def __init__(self, path: Path, model: str, judge: Judge | None = None) -> None:
        self.path, self._model, self._judge = path, model, judge
        self.id = judge.id if judge is not None else f"{model} as kept in {path.name}"
        self.stand_in = judge.stand_in if judge is not None else ""
        if judge is None and not path.is_file():
            raise UserError(f"there are no replies at {path}", "check judge.file")
        self._replies = _read(path, mend=judge is not None) if path.is_file() else {}

    def ask(self, request: Request) -> Reply:
        """The kept reply, else the judge's, which is kept before it is given."""
        key = _key(self._model, request)
        if key in self._replies:
            return self._replies[key]
        if self._judge is None:
            raise UserError(
                f"{self.path} has no reply of {self._model} to {request.name}",
                "were these replies kept for these answers? Otherwise take judge.type: endpoint",
            )
        reply = self._judge.ask(request)
        self._replies[key] = reply
        record = {
            "key": key,
            "name": request.name,
            "prompt": request.prompt,
            "temperature": request.temperature,
            "max_tokens": request.max_tokens,
            "reply": reply.text,
            "model": reply.model,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        return reply


def _key(model: str, request: Request) -> str:
    parts = [model, request.name, request.prompt, request.temperature, request.max_tokens]
    return sha256(json.dumps(parts).encode()).hexdigest()


def _read(path: Path, mend: bool) -> dict[str, Reply]:
    """The replies by key; to ``mend`` is to cut a torn last line off, so that the next one begins a line."""
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if mend and len(whole) < len(content):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    found = {}
    for number, line in enumerate(whole.decode("utf-8", errors="replace").split("\n")[:-1], 1):
        place = f"{path}, line {number}"
        try:
            record = json.loads(line)
        except ValueError as error:
            raise UserError(f"{place} is not JSON: {error}", "remove the line; its reply is asked for again") from None
        if not isinstance(record, dict):
            raise UserError(f"{place} is not a JSON object", "is this a file of kept replies?")
        reply = Reply(field(record, "reply", str, place), field(record, "model", str, place))
        found[field(record, "key", str, place)] = reply
    return found
