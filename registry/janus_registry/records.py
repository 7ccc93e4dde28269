"""What a scan of the plugins leaves behind: one record a plugin, one a component."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from janus_registry.discovery import canonical

Status = Literal["loaded", "blocked", "incompatible", "failed"]


@dataclass(frozen=True, slots=True)
class Component:
    """A spec record bound to the plugin and the distribution that declare it.

    Attributes:
        kind: for example ``adapter``.
        spec: the record as declared, of the kind's record type.
        plugin: name of the entry point, as written.
        distribution: name of the distribution, as written.
        version: its version.
        module: value of the plugin's entry point.
    """

    kind: str
    spec: Any
    plugin: str
    distribution: str
    version: str
    module: str = ""

    @property
    def name(self) -> str:
        """The short name, unique in its plugin."""
        return str(self.spec.name)

    @property
    def qualified(self) -> str:
        """``plugin/name``, which every lookup accepts unless two distributions own a plugin of this name."""
        return f"{self.plugin}/{self.name}"

    @property
    def full(self) -> str:
        """``dist:plugin/name``, which every lookup accepts."""
        return f"{self.distribution}:{self.qualified}"

    def answers_to(self, text: str) -> bool:
        """Whether ``text`` is the short, the qualified or the full name (plugin and distribution normalised)."""
        owner, slash, name = text.rpartition("/")
        if name != self.name:
            return False
        distribution, colon, plugin = owner.rpartition(":")
        if colon and canonical(distribution) != canonical(self.distribution):
            return False
        return not slash or canonical(plugin) == canonical(self.plugin)


@dataclass(frozen=True, slots=True)
class PluginRecord:
    """What became of one plugin.

    Attributes:
        plugin: name of the entry point, as written.
        distribution, version: who declares it.
        module: value of the entry point.
        status: ``loaded``; ``blocked`` by the policy, never imported; ``incompatible`` with the hook API; ``failed``.
        reason: one line that explains any other status than ``loaded``.
        traceback: the whole traceback of a failure, else empty.
        api: hook API version that the plugin was written for, or None if that was not learnt.
        components: what it declares; empty unless loaded.
        seconds: time that its import and its hooks took.
        duplicates: other distributions that declare the very same entry point.
        step: what failed: ``import``, ``hook API``, ``hooks`` (registering them) or ``records`` (calling them).
    """

    plugin: str
    distribution: str
    version: str
    module: str
    status: Status
    reason: str = ""
    traceback: str = ""
    api: tuple[int, int] | None = None
    components: tuple[Component, ...] = ()
    seconds: float = 0.0
    duplicates: tuple[str, ...] = ()
    step: str = ""

    @property
    def owner(self) -> str:
        """``dist version``, for listings."""
        return f"{self.distribution} {self.version}".strip() or "(no distribution)"

    def became(self, status: Status, **changes: Any) -> PluginRecord:
        """A copy with another status."""
        return replace(self, status=status, **changes)
