"""The plugin manager: scans once, keeps every plugin's record, and answers which components there are."""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from importlib.metadata import EntryPoint

import pluggy

from janus_registry.discovery import Discovered, canonical, discover
from janus_registry.errors import PluginError, RegistryError, UnknownKind, did_you_mean
from janus_registry.loading import Contract, load_plugin
from janus_registry.policy import Policy, read_policy
from janus_registry.records import Component, PluginRecord
from janus_registry.resolve import resolve, spelling


class PluginManager:
    """Discovers, loads and resolves the plugins of one program.

    Nothing is scanned before the first question; every process that needs components scans for itself. A plugin that
    cannot be loaded becomes a `PluginRecord` with the reason, and hurts no other.

    Args:
        project: the program's name: pluggy's project, the command named in remedies, the folder in ``~/.config``.
        group: the entry points' group.
        hooks: class with the hook specifications.
        kinds: kind -> (hook, type of the records that it yields).
        api: (major, minor) of the hook API.
        api_attribute: name of the plugins' attribute with the version that they were written for.
        environment_prefix: of the variables ``<prefix>_PLUGINS``, ``_PLUGINS_DENY``, ``_PLUGINS_FILE`` and
            ``_STRICT_PLUGINS`` (``1``: the first failure is raised as `PluginError`, for tests).
        environ: taken in place of ``os.environ``.
        entry_points: taken in place of the installed ones.
    """

    def __init__(
        self,
        *,
        project: str,
        group: str,
        hooks: type,
        kinds: Mapping[str, tuple[str, type]],
        api: tuple[int, int],
        api_attribute: str,
        environment_prefix: str,
        environ: Mapping[str, str] | None = None,
        entry_points: Iterable[EntryPoint] | None = None,
    ) -> None:
        self.project, self.group, self.kinds, self.api = project, group, kinds, api
        self._contract = Contract(project, hooks, kinds, api, api_attribute)
        self._prefix = environment_prefix
        self._environ = environ
        self._entry_points = None if entry_points is None else list(entry_points)
        self._lock = threading.RLock()
        self._loading = False
        self._discovered: list[Discovered] = []
        self._policy = Policy()
        self._records: tuple[PluginRecord, ...] | None = None

    def load(self) -> tuple[PluginRecord, ...]:
        """Scan and load the plugins; the second and later calls return what the first one found.

        Raises:
            PolicyError: the allow- and deny-lists cannot be read.
            PluginError: strict mode, and a plugin failed (chained to its own error); or a plugin asks for components
                while it is being loaded.
        """
        with self._lock:
            if self._records is None:
                if self._loading:
                    raise PluginError("a plugin asks for components while plugins are being loaded")
                self._loading = True
                try:
                    # What a plugin prints must not end in the output of `list --json`.
                    with redirect_stdout(sys.stderr):
                        self._records = self._scan()
                finally:
                    self._loading = False
            return self._records

    def _scan(self) -> tuple[PluginRecord, ...]:
        environ = os.environ if self._environ is None else self._environ
        self._policy = read_policy(self.project, self._prefix, environ)
        self._discovered = discover(self.group, self._entry_points)
        strict = environ.get(f"{self._prefix}_STRICT_PLUGINS", "") not in ("", "0")
        hooks = pluggy.PluginManager(self.project)
        hooks.add_hookspecs(self._contract.hooks)
        records = []
        for found in self._discovered:
            blocked = self._policy.blocked(found)
            if blocked is None:
                record = load_plugin(hooks, self._contract, found, strict=strict)
            else:
                record = PluginRecord(
                    found.plugin,
                    found.distribution,
                    found.version,
                    found.entry_point.value,
                    "blocked",
                    reason=blocked,
                    duplicates=found.duplicates,
                )
            records.append(record)
        return tuple(records)

    @property
    def plugins(self) -> tuple[PluginRecord, ...]:
        """The record of every plugin that is installed, loaded or not, in a stable order."""
        return self.load()

    @property
    def discovered(self) -> tuple[Discovered, ...]:
        """What the scan found in the metadata, loaded or not, in the order of `plugins`."""
        self.load()
        return tuple(self._discovered)

    @property
    def policy(self) -> Policy:
        """The allow- and deny-lists that the scan went by."""
        self.load()
        return self._policy

    @property
    def contested(self) -> frozenset[str]:
        """Normalised names of plugins that several loaded distributions own."""
        owned = Counter(canonical(record.plugin) for record in self.plugins if record.status == "loaded")
        return frozenset(name for name, count in owned.items() if count > 1)

    def components(self, kind: str | None = None) -> tuple[Component, ...]:
        """The components of one kind, or of all, in a stable order.

        Raises:
            UnknownKind: there is no such kind.
        """
        if kind is not None:
            self.check_kind(kind)
        return tuple(
            component
            for record in self.plugins
            for component in record.components
            if kind is None or component.kind == kind
        )

    def resolve(self, kind: str, name: str) -> Component:
        """The one component of this kind that ``name`` (``name``, ``plugin/name`` or ``dist:plugin/name``) names.

        Raises:
            UnknownKind: there is no such kind.
            UnknownComponent: none; names the nearest, all of the kind, and the plugins that are not loaded.
            AmbiguousComponent: several distributions claim it; names them and what to write.
        """
        return resolve(self, kind, name)

    def spelling(self, component: Component) -> str:
        """The shortest name that `resolve` accepts for this component."""
        return spelling(self, component)

    def check_kind(self, kind: str) -> str:
        """Return ``kind``, or raise `UnknownKind` with the kinds that there are."""
        if kind not in self.kinds:
            raise UnknownKind(
                f"there is no kind {kind!r}{did_you_mean(kind, self.kinds)}", f"the kinds are {', '.join(self.kinds)}"
            )
        return kind

    def idle_policy_entries(self) -> list[tuple[str, str]]:
        """(id, where it is written) of allow- and deny-entries that match no installed plugin."""
        self.load()
        return self._policy.unmatched(self._discovered)


__all__ = ["Component", "PluginManager", "PluginRecord", "RegistryError"]
