"""The one place where errors become messages: what was wrong, what mends it, exit code 2, no traceback."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

USER = 2
INTERRUPTED = 130
BROKEN_PIPE = 141
MACHINE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
MAX_LINES = 40


def guard(program: str, run: Callable[[], int]) -> int:
    """Run a command and turn its errors into exit codes.

    A user's errors (`UserError`, `RegistryError`, files that cannot be opened, a full disk) are shown without a
    traceback unless ``JANUS_DEBUG=1``. Anything else is a fault of the program and keeps its traceback.

    Args:
        program: what the message begins with, for example ``janus plugins``.
        run: the command.

    Returns:
        Its exit code; 2 for a user's error, 130 when interrupted, 141 when the reader of the output went away.
    """
    try:
        with plain_notices(program):
            code = run()
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Python flushes stdout once more at exit: give it something that takes it.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        message = explain(error)
        if message is None or os.environ.get("JANUS_DEBUG", "") not in ("", "0"):
            raise
        with contextlib.suppress(BrokenPipeError):
            show(program, *message)
        return USER


@contextlib.contextmanager
def plain_notices(program: str) -> Iterator[None]:
    """Within, warnings that are meant for the user (`Notice`) are shown once, without the place in the code."""
    from janus_registry.errors import Notice

    former, told = warnings.showwarning, set[str]()

    def plain(message: Any, category: type[Warning], *place: Any, **more: Any) -> None:
        if not issubclass(category, Notice):
            former(message, category, *place, **more)
        elif str(message) not in told:
            told.add(str(message))
            print(f"{program}: warning: {message}", file=sys.stderr, flush=True)

    warnings.showwarning = plain
    try:
        yield
    finally:
        warnings.showwarning = former


def explain(error: Exception) -> tuple[str, str | None] | None:
    """What was wrong and what mends it, or None for an error that is no user's."""
    from janus_core.errors import UserError
    from janus_registry.errors import RegistryError

    if isinstance(error, UserError | RegistryError):
        return error.what, error.remedy
    if isinstance(error, OSError):
        if error.filename is not None:
            return f"{error.filename}: {error.strerror or error}", None
        if error.errno in MACHINE_ERRORS:
            return error.strerror or str(error), "free some space, or choose another folder"
    return None


def show(program: str, what: str, remedy: str | None = None) -> None:
    """Print a message to stderr, at most one screen of it."""
    lines = what.splitlines() or [""]
    if len(lines) > MAX_LINES:
        lines = [*lines[:MAX_LINES], f"... and {len(lines) - MAX_LINES} lines more (JANUS_DEBUG=1 shows them)"]
    print(f"{program}: error: {lines[0]}", *lines[1:], sep="\n  ", file=sys.stderr)
    if remedy is not None:
        print("  to mend it: " + remedy.replace("\n", "\n    "), file=sys.stderr)
