"""``janus plugins enable`` and ``disable``: the policy file, edited for the user. No plugin is imported."""

from __future__ import annotations

import os
from collections.abc import Sequence

from janus_core.hookspecs import GROUP, HOOKS
from janus_core.plugins import ENVIRONMENT_PREFIX, PROJECT
from janus_registry.declared import plugins_named, shortest_id
from janus_registry.discovery import Discovered, discover
from janus_registry.errors import UnknownComponent
from janus_registry.policy import Policy, environment_policy, normalise, policy_file
from janus_registry.policy_edit import denied_ids, disable, enable

RECORDS = frozenset(record.__name__ for _, record in HOOKS.values())
"""Names of the record types that a plugin's source yields."""
FILE = f"{ENVIRONMENT_PREFIX}_PLUGINS_FILE"


def switch(action: str, name: str) -> int:
    """Edit the policy file and say what became of it; 1 if the environment holds a plugin that was to be enabled.

    Raises:
        RegistryError: an unknown name, or a file that cannot be read or written.
    """
    plugins = discover(GROUP)
    path, environment = policy_file(PROJECT, FILE, os.environ), environment_policy(ENVIRONMENT_PREFIX, os.environ)
    try:
        identifier, targets = plugins_named(name, plugins, RECORDS)
    except UnknownComponent:
        if action == "disable" or normalise(name) not in denied_ids(path):
            raise
        identifier, targets = name, []  # denied, and no longer installed
    if action == "disable":
        changes = disable(path, identifier, targets, environment)
    else:
        changes = enable(path, identifier, targets, plugins)
    owners = sorted({f"{target.distribution} {target.version}" for target in targets})
    names = ", ".join(shortest_id(target, plugins) for target in targets) or identifier
    spoken = f"{names} ({', '.join(owners) or 'not installed'})"
    if targets and not any(normalise(name) in target.ids for target in targets):
        print(f"{name} is a component: its whole plugin is {action}d")
    if changes:
        print(f"{action}d: {spoken}\n{path}: {'; '.join(map(str, changes))}")
    else:
        print(f"{action}d already: {spoken}\n{path} is left as it is")
    return _tell_what_holds(targets, environment) if action == "enable" else 0


def _tell_what_holds(targets: Sequence[Discovered], environment: Policy) -> int:
    """Say which variables keep a plugin out whatever the file says; 1 if there is one."""
    held = {reason: target for target in targets for reason in environment.reasons(target)}
    for reason, target in held.items():
        variable = f"{ENVIRONMENT_PREFIX}_PLUGINS" + ("_DENY" if reason.startswith("denied") else "")
        print(f"but {target.plugin} is still kept out, {reason}: the variable is stronger than the file")
        print(f"  to mend it: unset {variable}")
    return int(bool(held))
