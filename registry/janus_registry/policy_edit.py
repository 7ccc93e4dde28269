"""Enabling and disabling plugins in the policy file: edited in place, replaced whole, with all else in it kept."""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from janus_registry.discovery import Discovered
from janus_registry.errors import PolicyError
from janus_registry.policy import Entries, Policy, normalise, parse_policy
from janus_registry.toml_list import with_item, without

Lists = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class Change:
    """What is to become of one of the two lists."""

    key: Literal["allow", "deny"]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __str__(self) -> str:
        signs = [f"- {identifier!r}" for identifier in self.removed] + [f"+ {added!r}" for added in self.added]
        return f"{self.key} {' '.join(signs)}"


def disable(path: Path, identifier: str, targets: Sequence[Discovered], environment: Policy) -> list[Change]:
    """Deny ``targets`` in the policy file as ``identifier``; gives what was changed, nothing if they were blocked.

    Args:
        path: the policy file, made if it is not there.
        identifier: the policy id to write.
        targets: the plugins that it names.
        environment: see `environment_policy`; its allow-list takes the place of the file's.

    Raises:
        PolicyError: the file cannot be read, or cannot be written; it is left as it was.
    """

    def decide(lists: Lists) -> list[Change]:
        alone = _policy(lists)
        if all(policy.blocked(plugin) for policy in (alone, alone.under(environment)) for plugin in targets):
            return []
        return [Change("deny", added=(identifier,))]

    return _edit(path, decide)


def enable(path: Path, identifier: str, targets: Sequence[Discovered], plugins: Sequence[Discovered]) -> list[Change]:
    """Take ``targets`` out of the deny-list and, where there is an allow-list, into it; gives what was changed.

    A denied distribution that has other plugins too is replaced by these.

    Args:
        path: the policy file; one that is not there denies nothing.
        identifier: the policy id that names the targets; a deny-entry of this id goes though nothing is installed.
        targets: the plugins to enable.
        plugins: all that are installed.

    Raises:
        PolicyError: see `disable`.
    """

    def decide(lists: Lists) -> list[Change]:
        denied = lists.get("deny", [])
        hit = [written for written in denied if _names(written, targets) or normalise(written) == normalise(identifier)]
        rest = _policy({"deny": [written for written in denied if written not in hit]})
        others = [plugin for plugin in plugins if plugin not in targets and any(_names(id, [plugin]) for id in hit)]
        kept = [f"{other.distribution}:{other.plugin}" for other in others if not rest.blocked(other)]
        changes = [Change("deny", tuple(kept), tuple(hit))] if hit else []
        if "allow" in lists and any(_policy({"allow": lists["allow"]}).blocked(plugin) for plugin in targets):
            changes.append(Change("allow", added=(identifier,)))
        return changes

    return _edit(path, decide)


def denied_ids(path: Path) -> set[str]:
    """The normalised ids in the file's deny-list, of plugins that are installed or not."""
    return {normalise(written) for written in parse_policy(path, _read(path)).get("deny", [])}


def _policy(lists: Lists) -> Policy:
    entries = {key: Entries(frozenset(map(normalise, ids)), key) for key, ids in lists.items()}
    return Policy(entries.get("allow"), (entries["deny"],) if "deny" in entries else ())


def _names(written: str, plugins: Sequence[Discovered]) -> bool:
    return any(normalise(written) in plugin.ids for plugin in plugins)


def _edit(path: Path, decide: Callable[[Lists], list[Change]]) -> list[Change]:
    path = Path(os.path.realpath(path))  # a link stays one
    if not path.exists() and not decide({}):
        return []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path.parent):
            old = _read(path)
            lists = parse_policy(path, old)
            changes = decide(lists)
            if changes:
                _replace(path, _edited(path, old.decode(), lists, changes).encode())
    except OSError as error:
        raise PolicyError(
            f"the plugin policy {path} cannot be written: {error.strerror or error}",
            "make it writable; nothing was changed",
        ) from None
    return changes


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return b""


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, so that of two edits at a time the second sees what the first wrote."""
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks: the file is whole all the same
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _edited(path: Path, text: str, lists: Lists, changes: Sequence[Change]) -> str:
    """The text with the changes, checked by reading it again."""
    wanted = {key: list(ids) for key, ids in lists.items()}
    for change in changes:
        wanted[change.key] = [id for id in wanted.get(change.key, []) if id not in change.removed] + [*change.added]
        text = without(text, change.key, change.removed.__contains__)
        for identifier in change.added:
            text = with_item(text, change.key, identifier) or _with_list(text, change.key, identifier)
    try:
        if parse_policy(path, text.encode()) == wanted:
            return text
    except PolicyError:
        pass
    written = "; ".join(f"{key} = {ids!r}" for key, ids in wanted.items())
    raise PolicyError(f"the plugin policy {path} is laid out in a way that cannot be edited", f"write in it: {written}")


def _with_list(text: str, key: str, identifier: str) -> str:
    """The text with a new list, in the table ``plugins`` if it has a header, else in a new one."""
    line = f"{key} = [{json.dumps(identifier)}]\n"
    header = re.search(r"^[ \t]*\[[ \t]*plugins[ \t]*\][^\n]*(\n|$)", text, re.MULTILINE)
    if header is not None:
        return text[: header.end()] + ("" if header[1] else "\n") + line + text[header.end() :]
    gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
    dotted = re.search(r"^[ \t]*plugins[ \t]*\.", text, re.MULTILINE)
    return f"{text}{gap}plugins.{line}" if dotted else f"{text}{gap}[plugins]\n{line}"


def _replace(path: Path, data: bytes) -> None:
    """Write the file whole or not at all; a read-only one is left alone, whoever asks."""
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o644
    if not mode & 0o222 or (path.exists() and not os.access(path, os.W_OK)):
        raise PermissionError(13, "it is read-only")
    handle, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(partial, mode)
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(partial)
        raise
