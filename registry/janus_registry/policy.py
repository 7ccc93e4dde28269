"""Which plugins may be imported: allow- and deny-lists, decided from metadata before any plugin's code runs.

A list limits accidents, not malice: whoever installs a package trusts it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from janus_registry.discovery import Discovered, canonical
from janus_registry.errors import PolicyError


def normalise(identifier: str) -> str:
    """A policy id ``plugin``, ``dist`` or ``dist:plugin`` with each part normalised after PEP 503."""
    return ":".join(canonical(part.strip()) for part in identifier.split(":"))


@dataclass(frozen=True, slots=True)
class Entries:
    """A list of ids and where it is written."""

    ids: frozenset[str]
    source: str


@dataclass(frozen=True, slots=True)
class Policy:
    """Allow- and deny-lists; denial wins, and without an allow-list everything is allowed."""

    allow: Entries | None = None
    deny: tuple[Entries, ...] = ()

    def blocked(self, plugin: Discovered) -> str | None:
        """Why ``plugin`` may not be imported, naming the list to edit; None if it may."""
        reasons = self.reasons(plugin)
        return reasons[0] if reasons else None

    def reasons(self, plugin: Discovered) -> list[str]:
        """Every list that blocks ``plugin``, with what it says; empty if it may be imported."""
        hits = [(sorted(entries.ids & plugin.ids), entries.source) for entries in self.deny]
        found = [f"denied as {names[0]!r} by {source}" for names, source in hits if names]
        if self.allow is not None and not self.allow.ids & plugin.ids:
            found.append(f"not in the allow-list {self.allow.source}")
        return found

    def under(self, environment: Policy) -> Policy:
        """This policy of a file where the environment has its say: its allow-list replaces, its deny-list adds."""
        return Policy(self.allow if environment.allow is None else environment.allow, self.deny + environment.deny)

    def unmatched(self, plugins: Iterable[Discovered]) -> list[tuple[str, str]]:
        """(id, source) of entries that name no installed plugin, most often a misspelling."""
        known = frozenset[str]().union(*(plugin.ids for plugin in plugins))
        lists = (*self.deny, *([self.allow] if self.allow else []))
        return [(identifier, entries.source) for entries in lists for identifier in sorted(entries.ids - known)]


def read_policy(project: str, prefix: str, environ: Mapping[str, str]) -> Policy:
    """The policy from the environment and the policy file.

    ``<prefix>_PLUGINS`` is an allow-list (comma-separated; the empty string allows none) and replaces that of the
    file; ``<prefix>_PLUGINS_DENY`` is a deny-list that adds to that of the file. The file is
    ``<prefix>_PLUGINS_FILE``, else ``~/.config/<project>/plugins.toml``, which need not exist.

    Raises:
        PolicyError: the file cannot be read or holds something else than ``[plugins] allow = [...] deny = [...]``.
    """
    file = _read_file(project, f"{prefix}_PLUGINS_FILE", environ)
    written = Policy(file.get("allow"), (file["deny"],) if "deny" in file else ())
    return written.under(environment_policy(prefix, environ))


def environment_policy(prefix: str, environ: Mapping[str, str]) -> Policy:
    """The lists of the environment alone; see `read_policy`."""
    allow, deny = environ.get(f"{prefix}_PLUGINS"), environ.get(f"{prefix}_PLUGINS_DENY")
    return Policy(
        None if allow is None else Entries(_split(allow), f"{prefix}_PLUGINS={allow!r}"),
        (Entries(_split(deny), f"{prefix}_PLUGINS_DENY={deny!r}"),) if deny else (),
    )


def policy_file(project: str, variable: str, environ: Mapping[str, str]) -> Path:
    """Where the policy file is, whether it exists or not."""
    written = environ.get(variable)
    # os.path.expanduser, since Path.home() raises where there is no home (containers with a bare user id)
    return Path(os.path.expanduser(written or f"~/.config/{project}/plugins.toml"))


def _split(text: str) -> frozenset[str]:
    return frozenset(normalise(part) for part in text.split(",") if part.strip())


def _read_file(project: str, variable: str, environ: Mapping[str, str]) -> dict[str, Entries]:
    path = policy_file(project, variable, environ)
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        if environ.get(variable):
            raise PolicyError(
                f"{variable} names {path}, which does not exist", f"create it or unset {variable}"
            ) from None
        return {}
    except OSError as error:
        raise PolicyError(f"the plugin policy {path} cannot be read: {error.strerror or error}") from None
    lists = parse_policy(path, data)
    return {key: Entries(frozenset(map(normalise, ids)), f"{key} in {path}") for key, ids in lists.items()}


def parse_policy(path: Path, data: bytes) -> dict[str, list[str]]:
    """The lists ``allow`` and ``deny`` of a policy file, as written; a list that it does not have is left out.

    Raises:
        PolicyError: it holds something else than ``[plugins] allow = [...] deny = [...]``.
    """
    import tomllib  # only where there is a file: listing pays for it otherwise

    remedy = f'edit {path}; it may hold only [plugins] with allow = ["..."] and deny = ["..."]'
    try:
        table = tomllib.loads(data.decode())
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError
        raise PolicyError(f"the plugin policy {path} is not TOML: {error}", remedy) from None
    plugins = table.get("plugins", {})
    strange = [f"[{key}]" for key in table if key != "plugins"]
    if isinstance(plugins, dict):
        strange += [f"plugins.{key}" for key in plugins if key not in ("allow", "deny")]
    else:
        strange.append(f"plugins = {plugins!r}")
        plugins = {}
    for key, value in plugins.items():
        if key in ("allow", "deny") and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            strange.append(f"plugins.{key} = {value!r}, which is not a list of strings")
    if strange:
        raise PolicyError(f"the plugin policy {path} holds {'; '.join(strange)}", remedy)
    return plugins
