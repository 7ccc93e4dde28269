"""Reading values out of foreign JSON configurations, with every mistake collected."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from janus_core.errors import UserError


class Fields:
    """A mapping from a foreign configuration; what is wrong with it is collected in ``wrong``.

    Args:
        values: the mapping.
        place: its name, for messages.
        wrong: the list that mistakes are added to, shared with nested mappings.
    """

    def __init__(self, values: Mapping[str, Any], place: str = "config.json", wrong: list[str] | None = None) -> None:
        self.values, self.place = values, place
        self.wrong: list[str] = [] if wrong is None else wrong

    def inner(self, *names: str) -> Fields:
        """The nested mapping at this path; empty where it is absent."""
        found: Any = self.values
        for name in names:
            found = found.get(name) if isinstance(found, Mapping) else None
        return Fields(found if isinstance(found, Mapping) else {}, f"{self.place}: {'.'.join(names)}", self.wrong)

    def number(self, name: str, default: int | None = None) -> int:
        """A positive whole number; 1 stands in for one that is wrong."""
        value = self.values.get(name)
        value = default if value is None else value
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            self.wrong.append(f"{self.place}.{name} is {value!r}, and must be a whole number above 0")
            return 1
        return value

    def real(self, name: str, default: float) -> float:
        """A positive number."""
        value = self.values.get(name)
        value = default if value is None else value
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            self.wrong.append(f"{self.place}.{name} is {value!r}, and must be a number above 0")
            return default
        return float(value)

    def only(self, name: str, allowed: object, *, absent: object = None) -> None:
        """Refuse any value but the one that is computed here; an absent one counts as ``absent`` (default: allowed)."""
        value = self.values.get(name)
        value = (allowed if absent is None else absent) if value is None else value
        if value != allowed:
            self.wrong.append(f"{self.place}.{name} is {value!r}; only {allowed!r} is computed here")

    def finish(self) -> None:
        """Raise `UserError` with every mistake."""
        if self.wrong:
            raise UserError("the checkpoint's configuration cannot be used:\n" + "\n".join(self.wrong))


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a file, empty if there is no file; `UserError` if it is broken."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise UserError(f"{path} is no JSON: {error}", "fetch the file again") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} holds {type(found).__name__}, not an object", "fetch the file again")
    return found
