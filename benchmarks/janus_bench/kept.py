"""Results of finished batches in a file of JSON lines that a kill can at most leave with a torn last line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from janus_core.errors import UserError


class KeptBatches:
    """Batches by the number of their first item."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._found: dict[int, tuple[str, list[Any]]] = {}
        self._read()

    def get(self, start: int, key: str) -> list[Any] | None:
        """The results of a batch, None if it is not done.

        Raises:
            UserError: what was done there had other questions or settings.
        """
        if start not in self._found:
            return None
        found, results = self._found[start]
        if found != key:
            raise UserError(
                f"{self.path} holds answers to other questions, or under other settings, from item {start} on",
                "write to another --out, or remove that file to begin anew",
            )
        return results

    def add(self, start: int, key: str, ids: list[str], results: list[Any]) -> list[Any]:
        """Keep a batch; on return it is on the disk. The results as a later `get` gives them."""
        line = json.dumps({"start": start, "key": key, "ids": ids, "results": results}, ensure_ascii=False)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._found[start] = (key, json.loads(line)["results"])
        return self._found[start][1]

    def _read(self) -> None:
        if not self.path.is_file():
            return
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(self.path, whole)  # else the next batch would be added to the torn line
        for number, line in enumerate(data[:whole].split(b"\n")[:-1], 1):
            try:
                record = json.loads(line)
                self._found[record["start"]] = (record["key"], record["results"])
            except (ValueError, KeyError, TypeError):
                raise UserError(
                    f"{self.path}, line {number} is damaged", "remove that line: its batch is computed again"
                ) from None
