"""Answers where an item may have one only: copies that agree count once, copies that differ are refused."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from janus_bench.suite.predicted import Matched
from janus_core.errors import UserError


def match_once(answers: Iterable[tuple[str, str]], items: Collection[str], path: Path) -> Matched:
    """Set (id, text) pairs against the ids of the items, as `janus_bench.suite.predicted.match` does.

    For scorers whose official code has no rule for an item that is answered twice.

    Raises:
        UserError: two answers to an item differ; it is named.
    """
    by_id: dict[str, str] = {}
    extra: dict[str, None] = {}
    repeated: dict[str, None] = {}
    for name, text in answers:
        if name not in items:
            extra[name] = None
        elif name not in by_id:
            by_id[name] = text
        elif by_id[name] != text:
            raise UserError(
                f"{path} answers {name} twice and differently: {by_id[name]!r:.60} and {text!r:.60}",
                "leave one answer; the official code has no rule for this",
            )
        else:
            repeated[name] = None
    missing = tuple(name for name in items if name not in by_id)
    return Matched(by_id, missing, tuple(extra), tuple(repeated))
