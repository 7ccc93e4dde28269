"""Progress bars of the commands."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import Any


def bar(text: str, unit: str, arguments: argparse.Namespace) -> Callable[[Iterable[Any]], Iterable[Any]]:
    """What wraps the steps of a command; the steps as they are with ``--no-progress``."""

    def steps(items: Iterable[Any]) -> Iterable[Any]:
        if arguments.no_progress:
            return items
        from tqdm import tqdm

        wrapped: Iterable[Any] = tqdm(items, desc=text, unit=unit, leave=False)
        return wrapped

    return steps
