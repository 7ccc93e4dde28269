"""The table of checks in the docs: ``python -m janus_core.conformance.table`` prints it."""

from __future__ import annotations

import sys

from janus_core.conformance.check import KINDS, checks

SHORT = dict(zip(KINDS, ("encoder", "tokenizer", "adapter", "head", "language model"), strict=True))


def table() -> str:
    """Markdown, one row a check, in the order in which they run."""
    rows = ["| check | level | kinds | asks whether | prevents |", "| --- | --- | --- | --- | --- |"]
    for check in checks():
        kinds = "all" if check.kinds == KINDS else ", ".join(SHORT[kind] for kind in check.kinds)
        notes = f" (exempt if `{check.unless}: False`)" if check.unless else ""
        notes += " (only with `--slow`)" if check.slow else ""
        level = check.level if check.level_now == check.level else f"{check.level_now} (next minor: {check.level})"
        rows.append(f"| `{check.id}` | {level} | {kinds} | {check.title}{notes} | {check.prevents} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
