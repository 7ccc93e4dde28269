"""Files and folders that are there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Give a folder beside the target to write in; on success it takes the target's place, on failure it is removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    partial.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def make_good(target: Path) -> None:
    """Bring back a folder whose replacement was killed between its two steps."""
    old = target.with_name(f".{target.name}.old")
    if old.is_dir() and not target.exists():
        old.rename(target)


@contextmanager
def atomic_file(target: Path, writer: str = "", *, here: bool = True) -> Iterator[Path]:
    """Give a path beside the target to write to; on success it replaces the target, on failure it is removed.

    Args:
        writer: processes that write the same target at the same time need one each, or they write to the same path.
        here: this process writes it; the others of a run take part without.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}{writer and f'.{writer}'}.partial")
    try:
        yield partial
        if here:
            os.replace(partial, target)
    finally:
        if here:
            partial.unlink(missing_ok=True)
