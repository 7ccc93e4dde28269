"""``janus plugins why``: all that decides what becomes of a plugin, and the command that mends it. Imports no torch."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, distributions
from typing import Any

from janus_core.cli.plugins_policy import FILE, RECORDS
from janus_core.errors import UserError
from janus_core.plugins import DISTRIBUTION, ENVIRONMENT_PREFIX, PROJECT, manager
from janus_registry.declared import declared_names, plugins_named, shortest_id
from janus_registry.discovery import Discovered, canonical, identity
from janus_registry.errors import RegistryError, UnknownComponent
from janus_registry.location import code_root, editable_root, find_module, home, owns
from janus_registry.policy import environment_policy, policy_file
from janus_registry.records import Component, PluginRecord
from janus_registry.requirements import install_command, missing_requirements, unmet

Facts = dict[str, Any]


def why(name: str, *, as_json: bool) -> int:
    """Explain every plugin that the name means; 1 if something about one of them wants mending.

    Raises:
        UserError: nothing of this name is installed, or a distribution that declares no plugin.
    """
    plugins, found = manager(), _named(name)
    explained = [explain(point, record) for point, record in zip(plugins.discovered, plugins.plugins, strict=True)
                 if point in found]  # fmt: skip
    if as_json:
        print(json.dumps(explained, indent=2))
    else:
        for facts in explained:
            _print(facts)
    return int(any(facts["mend"] for facts in explained))


def _named(name: str) -> list[Discovered]:
    """The plugins of this name; of a component its plugin, as they are loaded or as their sources declare."""
    plugins = manager()
    loaded = [component for component in plugins.components() if component.answers_to(name)]
    owners = {(component.distribution, component.plugin) for component in loaded}
    found = [point for point in plugins.discovered if (point.distribution, point.plugin) in owners]
    try:
        named = plugins_named(name, plugins.discovered, RECORDS)[1]
    except UnknownComponent as error:
        if not found and (other := _distribution(name)) is not None:
            raise UserError(
                f"the distribution {' '.join(identity(other))} is installed and declares no plugin",
                f'write [project.entry-points."{plugins.group}"] in its pyproject.toml, then install it again',
            ) from None
        if not found:
            raise UserError(error.what, error.remedy) from None
        named = []
    return [point for point in plugins.discovered if point in found or point in named]


def _distribution(name: str) -> Distribution | None:
    return next((one for one in distributions() if canonical(identity(one)[0]) == canonical(name)), None)


def explain(point: Discovered, record: PluginRecord) -> Facts:
    """The facts of one plugin, JSON-able; ``mend`` is empty where nothing is wrong."""
    plugins = manager()
    owner = point.entry_point.dist
    spec = find_module(record.module.partition(":")[0])
    path = policy_file(PROJECT, FILE, os.environ)
    facts: Facts = {
        "plugin": record.plugin,
        "id": shortest_id(point, plugins.discovered),
        "status": record.status,
        "reason": record.reason,
        "failed_at": record.step,
        "distribution": record.distribution,
        "version": record.version,
        "location": None if owner is None else str(home(owner)),
        "editable": owner is not None and editable_root(owner) is not None,
        "entry_point": f"{plugins.group}: {record.plugin} = {record.module}",
        "module_file": None if spec is None else spec.origin,
        "blocked_by": plugins.policy.reasons(point),
        "policy_file": str(path),
        "policy_file_exists": path.exists(),
        "hook_api": record.api,
        "program_hook_api": plugins.api,
        "components": [_component(component) for component in record.components],
        "declared_in_source": declared_names(record.module.partition(":")[0], RECORDS),
        "missing": [] if owner is None else [str(item) for item in _missing(owner)],
        "shadowing": list(_shadowing(record, owner)),
        "contested": canonical(record.plugin) in plugins.contested,
    }
    facts["mend"] = list(_mends(facts, point, owner))
    return facts


def _component(component: Component) -> Facts:
    plugins = manager()
    rivals = [
        other.full
        for other in plugins.components(component.kind)
        if other is not component and other.name == component.name
    ]
    try:
        missing = missing_requirements(component)
        lacks, install = [str(item) for item in missing], install_command(missing) if missing else ""
    except RegistryError as error:
        lacks, install = [error.what], ""
    typed = plugins.spelling(component)
    facts = {"kind": component.kind, "name": component.qualified, "written_as": typed, "also_of": rivals}
    return {**facts, "missing": lacks, "install": install}


def _missing(owner: Distribution) -> list[Any]:
    try:
        return unmet(owner.requires or (), identity(owner)[0])
    except RegistryError:
        return []


def _shadowing(record: PluginRecord, owner: Distribution | None) -> Iterator[str]:
    """What hides the plugin's code, or is hidden by it."""
    for other in record.duplicates:
        yield f"{other} declares the same entry point: uninstall one of the two"
    if owner is None:
        return
    name = canonical(record.distribution)
    folders = {str(home(one)): identity(one)[1] for one in distributions() if canonical(identity(one)[0]) == name}
    for folder, version in list(folders.items())[1:]:
        yield f"{record.distribution} {version} is installed in {folder} too, behind the first on the path"
    root = code_root(record.module.partition(":")[0])
    if root is not None and owns(owner, root) is False:
        yield f"the module comes from {root}, which is first on the path, not from {home(owner)}"
    from janus_core.cli import COMMANDS

    for component in record.components:
        if component.kind == "command" and component.name in COMMANDS:
            yield f"the built-in command {component.name!r} hides {component.qualified}: type the whole name"


def _mends(facts: Mapping[str, Any], point: Discovered, owner: Distribution | None) -> Iterator[str]:
    """Commands and edits, the most useful first."""
    environment = environment_policy(ENVIRONMENT_PREFIX, os.environ).reasons(point)
    if any(reason not in environment for reason in facts["blocked_by"]):
        yield f"janus plugins enable {facts['id']}"
    for reason in environment:
        yield f"unset {ENVIRONMENT_PREFIX}_PLUGINS{'_DENY' if reason.startswith('denied') else ''}"
    if facts["status"] == "incompatible":
        newer = DISTRIBUTION if facts["reason"].endswith("the program") else facts["distribution"]
        yield f"pip install --upgrade {newer}"
    if facts["missing"] and owner is not None:
        yield install_command(_missing(owner))
    if facts["status"] == "failed":
        if not facts["missing"]:
            yield _repair(facts)
        yield "see the traceback: janus plugins doctor -v"
        yield f"or do without it: janus plugins disable {facts['id']}"
    yield from dict.fromkeys(item["install"] for item in facts["components"] if item["install"])
    if facts["contested"]:
        yield f"write {facts['distribution']}:{facts['plugin']}/NAME, or disable the other distribution's plugin"


def _repair(facts: Mapping[str, Any]) -> str:
    if facts["editable"]:
        return f"mend it in {facts['module_file'] or facts['location']}"
    return f"pip install --force-reinstall {facts['distribution']}=={facts['version']}"


def _print(facts: Mapping[str, Any]) -> None:
    def row(title: str, text: str) -> None:
        print(f"  {title:<13} {text}")

    step = f" at the step {facts['failed_at']!r}" if facts["failed_at"] else ""
    print(f"{facts['plugin']}: {facts['status']}{step}{', ' if facts['reason'] else ''}{facts['reason']}")
    kind = " (editable)" if facts["editable"] else ""
    row("installed by", f"{facts['distribution']} {facts['version']}{kind} in {facts['location']}")
    row("entry point", f"{facts['entry_point']} ({facts['module_file'] or 'no such module'})")
    file = f"{facts['policy_file']}{'' if facts['policy_file_exists'] else ', which does not exist'}"
    row("policy", "; ".join(facts["blocked_by"]) or f"allowed: no list keeps it out (policy file {file})")
    written = "not learnt" if facts["hook_api"] is None else "{}.{}".format(*facts["hook_api"])
    row("hook API", f"{written}; this program has {'{}.{}'.format(*facts['program_hook_api'])}")
    for item in facts["components"]:
        also = f"; the name is also of {', '.join(item['also_of'])}" if item["also_of"] else ""
        row("component", f"{item['kind']} {item['name']}, written as {item['written_as']}{also}")
        for text in item["missing"]:
            row("", f"  cannot be used: requires {text}")
    if not facts["components"] and facts["declared_in_source"]:
        row("would declare", ", ".join(facts["declared_in_source"]))
    for text in facts["missing"]:
        row("missing", f"the distribution requires {text}")
    for text in facts["shadowing"]:
        row("shadowing", text)
    if facts["contested"]:
        row("contested", f"several distributions own a plugin named {facts['plugin']!r}")
    for text in facts["mend"]:
        row("to mend it", text)
