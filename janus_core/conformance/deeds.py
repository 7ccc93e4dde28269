"""What is done outside the component: connections, programs, files, threads; seen in the audit events of Python."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg")
PROGRAMS = ("subprocess.Popen", "os.system", "os.posix_spawn", "os.exec", "os.fork")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
JOIN = 0.2
"""Seconds that a thread is given to end."""


class NetworkUsed(OSError):
    """Something reached for the network while that is not allowed."""


@dataclass(slots=True, eq=False)
class Deeds:
    """What was done while it was watched.

    Attributes:
        own: top-level names of the component's packages. What a library does when it is imported is not the
            component's deed; what it does when the component calls it is.
        network: connections and look-ups of names, by whoever, all refused.
        programs: other programs that were started.
        files: files and folders that were written and are still there.
        threads: names of threads that still run.
    """

    own: Collection[str] = ()
    network: list[str] = field(default_factory=list)
    programs: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    threads: list[str] = field(default_factory=list)


_watching: list[Deeds] = []
_installed = False
_thread_start = threading.Thread.start


@contextlib.contextmanager
def watched_deeds(deeds: Deeds) -> Iterator[Deeds]:
    """Note what is done within; the network fails at once."""
    global _installed
    if not _installed:
        sys.addaudithook(_hook)  # cannot be taken away again; without a watcher it returns at once
        _installed = True
    before = set(threading.enumerate())
    _watching.append(deeds)
    try:
        with mock.patch.object(threading.Thread, "start", _start):
            yield deeds
        for thread in set(threading.enumerate()) - before:
            thread.join(JOIN)
        deeds.threads = [t.name for t in threading.enumerate() if t not in before and t.name in deeds.threads]
    finally:
        _watching.remove(deeds)
        deeds.files = list(dict.fromkeys(path for path in deeds.files if os.path.exists(path)))


def no_network() -> contextlib.AbstractContextManager[Deeds]:
    """Within, every connection and every look-up of a name fails."""
    return watched_deeds(Deeds())


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching:
        return
    if event in NETWORK:
        _refuse(event, arguments)
    elif event in PROGRAMS and _own():
        command = arguments[1] if event == "subprocess.Popen" else arguments[0] if arguments else event
        words = [command] if isinstance(command, str | bytes | os.PathLike) else command
        _watching[-1].programs.append(" ".join(map(os.fsdecode, words)))
    elif event in ("open", "os.mkdir") and arguments and isinstance(arguments[0], str | bytes | os.PathLike):
        _wrote(event, arguments)


def _start(thread: threading.Thread) -> None:
    """In place of ``Thread.start``: not every Python has an audit event for it."""
    if _own():
        _watching[-1].threads.append(thread.name)
    _thread_start(thread)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    shown = [item for item in arguments if not hasattr(item, "fileno")]
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg") and not isinstance(shown[0], tuple):
        return  # a socket of this machine
    _watching[-1].network.append(f"{event}({', '.join(map(repr, shown[:2]))})")
    raise NetworkUsed(f"{_watching[-1].network[-1]}: the conformance kit allows no network here")


def _wrote(event: str, arguments: tuple[Any, ...]) -> None:
    path = os.path.abspath(os.fsdecode(arguments[0]))
    if event == "open":
        _, mode, flags = arguments
        writes = any(letter in mode for letter in "wax+") if isinstance(mode, str) else (flags or 0) & WRITES
        if not writes:
            return
    if path.startswith(("/dev/", "/proc/")) or "__pycache__" in path:
        return
    if _own():
        _watching[-1].files.append(path)


def _own() -> bool:
    """Whether the component does it, itself or through a library that it calls, and not a library being imported."""
    frame, own = sys._getframe(2), _watching[-1].own
    while frame is not None:
        name = str(frame.f_globals.get("__name__"))
        if name.partition(".")[0] in own:
            return True
        if name.startswith("importlib."):
            return False
        frame = frame.f_back  # type: ignore[assignment]
    return bool(own)
