"""Loading one plugin: import, version gate, hooks, records; every fault of a plugin ends as data about that plugin."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pluggy

from janus_registry.discovery import Discovered
from janus_registry.errors import PluginError, did_you_mean
from janus_registry.records import Component, PluginRecord, Status
from janus_registry.spec import check_name


class Incompatible(PluginError):
    """The plugin is written for another version of the hook API."""


@dataclass(frozen=True, slots=True)
class Contract:
    """What a plugin must be: the hooks, the records that they yield, and the version of both.

    Attributes:
        project: pluggy's project name.
        hooks: class with the hook specifications.
        kinds: kind -> (hook, type of the records that it yields).
        api: (major, minor) that the program offers.
        api_attribute: name of the plugin's attribute with the version that it was written for.
    """

    project: str
    hooks: type
    kinds: Mapping[str, tuple[str, type]]
    api: tuple[int, int]
    api_attribute: str

    def gate(self, plugin: object) -> tuple[int, int]:
        """The version that ``plugin`` was written for, if the program offers it (same major, minor not later).

        Raises:
            PluginError: the plugin names no version.
            Incompatible: it names another one.
        """
        written = getattr(plugin, self.api_attribute, None)
        example = f"{self.api_attribute}: tuple[int, int] = {self.api}"
        if written is None:
            raise PluginError(f"the plugin does not say its hook API version: write '{example}' in it")
        if not (isinstance(written, tuple) and len(written) == 2 and all(type(part) is int for part in written)):
            raise PluginError(f"{self.api_attribute} = {written!r} is not a pair of integers such as {self.api}")
        major, minor = written
        if major != self.api[0] or minor > self.api[1]:
            newer = "the program" if written > self.api else "the plugin"
            raise Incompatible(
                f"written for hook API {major}.{minor}; this program has {self.api[0]}.{self.api[1]}: upgrade {newer}"
            )
        return written


def load_plugin(
    manager: pluggy.PluginManager, contract: Contract, found: Discovered, *, strict: bool = False
) -> PluginRecord:
    """Import one plugin and read its components.

    Its implementations are called one by one, so that a raise hits nobody else; whatever it raises, ``SystemExit``
    included, becomes the record's reason and traceback, and its registration is undone.

    Raises:
        KeyboardInterrupt: the user's, never swallowed.
        PluginError: ``strict``, and the plugin could not be loaded; chained to what it raised.
    """
    name = f"{found.distribution}:{found.plugin}"
    point = found.entry_point
    record = PluginRecord(
        found.plugin, found.distribution, found.version, point.value, "failed", duplicates=found.duplicates
    )
    start, step = time.perf_counter(), "import"
    try:
        plugin = point.load()
        step = "hook API"
        record = record.became("failed", api=contract.gate(plugin))
        step = "hooks"
        _register(manager, contract, plugin, name)
        step = "records"
        components = tuple(_components(manager, contract, plugin, found))
    except (KeyboardInterrupt, GeneratorExit):
        _roll_back(manager, name)
        raise
    except BaseException as error:
        _roll_back(manager, name)
        status: Status = "incompatible" if isinstance(error, Incompatible) else "failed"
        reason = explain(error)
        if strict:
            raise PluginError(f"plugin {record.plugin!r} of {record.owner} is {status}: {reason}") from error
        seconds = time.perf_counter() - start
        return record.became(status, reason=reason, traceback=_traceback(error), seconds=seconds, step=step)
    return record.became("loaded", components=components, seconds=time.perf_counter() - start)


def explain(error: BaseException) -> str:
    """One line on an error that a plugin raised."""
    if isinstance(error, PluginError):
        return error.what
    text = " ".join(str(error).split())
    if isinstance(error, SystemExit):
        text = f"{text} (it called sys.exit)".strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _traceback(error: BaseException) -> str:
    import traceback  # only where something failed: listing pays for it otherwise

    return "".join(traceback.format_exception(error))


def _roll_back(manager: pluggy.PluginManager, name: str) -> None:
    if manager.has_plugin(name):
        manager.unregister(name=name)


def _register(manager: pluggy.PluginManager, contract: Contract, plugin: object, name: str) -> None:
    if plugin is None or manager.is_registered(plugin):
        known = manager.get_name(plugin) if plugin is not None else "nothing"
        raise PluginError(f"the entry point names {known}: every entry point needs a module of its own")
    if manager.has_plugin(name):
        raise PluginError(f"the distribution declares several plugins of the name {name.partition(':')[2]!r}")
    hooks = [hook for hook, _ in contract.kinds.values()]
    for hook in hooks:
        if callable(getattr(plugin, hook, None)) and manager.parse_hookimpl_opts(plugin, hook) is None:
            raise PluginError(f"{hook} is not marked with @hookimpl, so that it would never be called")
    try:
        manager.register(plugin, name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        unknown = [caller.name for caller in manager.get_hookcallers(plugin) or [] if not caller.has_spec()]
        if not unknown:
            raise
        named = "; ".join(f"{hook!r}{did_you_mean(hook, hooks)}" for hook in unknown)
        raise PluginError(f"unknown hook {named}; the hooks are {', '.join(hooks)}") from error


def _components(
    manager: pluggy.PluginManager, contract: Contract, plugin: object, found: Discovered
) -> Iterable[Component]:
    """Call the plugin's own hook implementations, and only its own, and check what they yield."""
    for kind, (hook, record_type) in contract.kinds.items():
        names: set[str] = set()
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            if implementation.plugin is not plugin:
                continue
            if implementation.wrapper or implementation.hookwrapper:
                raise PluginError(f"{hook} is a wrapper; it must yield {record_type.__name__} records")
            yielded = implementation.function()
            if not isinstance(yielded, Iterable):
                raise PluginError(f"{hook} gave {yielded!r}; it must yield {record_type.__name__} records")
            for spec in yielded:
                if not isinstance(spec, record_type):
                    raise PluginError(f"{hook} yielded {spec!r}; it must yield {record_type.__name__} records")
                name = check_name(spec.name)  # type: ignore[attr-defined]
                if name in names:
                    raise PluginError(f"{hook} yields two components of the name {name!r}")
                names.add(name)
                yield Component(kind, spec, found.plugin, found.distribution, found.version, found.entry_point.value)
