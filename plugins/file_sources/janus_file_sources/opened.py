"""What a process holds open: a few things at a time, and never another process' things."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Opened(Generic[Key, Value]):
    """The things used last, by key; pickled, or found in a forked process, it is empty.

    A thing that is dropped closes itself when its last user lets go of it, so threads may share this.

    Args:
        keep: how many things to hold.
    """

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._forget()

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """The thing of this key, made if it is not at hand."""
        if self._process != os.getpid():  # a fork shares the parent's files, and a lock that may be held there
            self._forget()
        with self._lock:
            if key in self._things:
                self._things.move_to_end(key)
                return self._things[key]
            while len(self._things) >= self._keep:  # before the new one, so that no more than `keep` are in memory
                self._things.popitem(last=False)
            self._things[key] = made = make()
            return made

    def __getstate__(self) -> dict[str, Any]:
        return {"_keep": self._keep}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["_keep"])  # type: ignore[misc]

    def _forget(self) -> None:
        self._process, self._lock = os.getpid(), threading.Lock()
        self._things: OrderedDict[Key, Value] = OrderedDict()
