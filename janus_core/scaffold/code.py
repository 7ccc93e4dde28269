"""Plain data as Python source, in the shape that ``ruff format`` leaves alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

LINE = 120


def literal(value: object, indent: int = 0, before: int = 0) -> str:
    """``value`` as an expression.

    Args:
        value: None, bool, number, str, or sequences and mappings of them.
        indent: of the line that it begins in.
        before: characters of that line before it, and one for what follows.
    """
    short = _inline(value)
    if indent + before + len(short) <= LINE - 2 or not isinstance(value, Mapping | tuple | list) or not value:
        return short
    inner, space = indent + 4, " " * (indent + 4)
    if isinstance(value, Mapping):
        lines = [f"{_inline(k)}: {literal(v, inner, len(_inline(k)) + 2)}" for k, v in value.items()]
        ends = "{}"
    else:
        lines, ends = [literal(item, inner) for item in value], "()" if isinstance(value, tuple) else "[]"
    return "\n".join([ends[0], *(f"{space}{line}," for line in lines), " " * indent + ends[1]])


def _inline(value: object) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_inline(k)}: {_inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_inline, value)) + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return repr(value)


def sorted_imports(source: str) -> str:
    """The same with neighbouring ``from janus_…`` lines in order: where a new package falls depends on its name."""
    lines = source.splitlines(keepends=True)
    begin = 0
    while begin < len(lines):
        end = begin
        while end < len(lines) and lines[end].startswith("from janus_"):
            end += 1
        lines[begin:end] = sorted(lines[begin:end], key=lambda line: line.split(" ")[1])
        begin = max(end, begin + 1)
    return "".join(lines)
