"""``janus plugins``: what is installed, what it declares, and what is wrong with it. Imports no torch."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from janus_core.cli import plugins_new
from janus_core.cli.plugins_text import component_facts, list_facts, plugin_facts, print_component, print_table, summary
from janus_core.errors import UserError
from janus_core.hookspecs import HOOKS
from janus_core.plugins import manager
from janus_registry.errors import RegistryError, did_you_mean
from janus_registry.records import Component, PluginRecord

PLUGIN = "plugin, distribution, 'distribution:plugin', or a component of the plugin"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="list components, and the plugins that are not loaded")
    listing.add_argument("--kind", choices=list(HOOKS), help="only this kind")
    listing.add_argument(
        "--all", action="store_true", help="also a table of every plugin with its module and load time"
    )
    listing.add_argument("--json", action="store_true", help="print JSON")
    info = actions.add_parser("info", help="show everything that a component or a plugin declares")
    info.add_argument("name", metavar="NAME", help="component ('name' or 'plugin/name') or plugin")
    info.add_argument("--json", action="store_true", help="print JSON")
    schema = actions.add_parser(
        "schema", help="print the JSON schema of all kinds, of a kind or of a component's options"
    )
    schema.add_argument("of", nargs="?", metavar="KIND[/NAME]", help="what to describe; default: every kind")
    doctor = actions.add_parser("doctor", help="say what is wrong with each plugin and what mends it")
    doctor.add_argument("-v", "--verbose", action="store_true", help="also tracebacks and load times")
    for action, what in (("enable", "let a plugin be loaded"), ("disable", "keep a plugin from being loaded")):
        switch = actions.add_parser(action, help=f"{what}: edits the policy file")
        switch.add_argument("name", metavar="NAME", help=PLUGIN)
    why = actions.add_parser("why", help="explain what became of a plugin or component, and what mends it")
    why.add_argument("name", metavar="NAME", help=PLUGIN)
    why.add_argument("--json", action="store_true", help="print JSON")
    check = actions.add_parser("check", help="run the conformance kit on a component, a plugin or a distribution")
    check.add_argument("name", metavar="NAME", help="component ('name' or 'plugin/name'), plugin or distribution")
    check.add_argument("--preset", help="preset to check; default: tiny, or the component's first")
    check.add_argument("--device", default="cpu", help="where values are computed, such as cuda (default: cpu)")
    check.add_argument("--slow", action="store_true", help="also the checks that take long, such as compile")
    check.add_argument("--json", action="store_true", help="print JSON: the results and the card of each component")
    plugins_new.add_arguments(actions.add_parser("new", help="write a new plugin that passes the conformance kit"))


def run(arguments: argparse.Namespace) -> int:
    """Run the chosen sub-command."""
    if arguments.action == "list":
        return _list(arguments.kind, everything=arguments.all, as_json=arguments.json)
    if arguments.action == "info":
        return _info(arguments.name, as_json=arguments.json)
    if arguments.action == "schema":
        return _schema(arguments.of)
    if arguments.action == "new":
        return plugins_new.new(arguments)
    if arguments.action in ("enable", "disable"):
        from janus_core.cli.plugins_policy import switch

        return switch(arguments.action, arguments.name)
    if arguments.action == "why":
        from janus_core.cli.plugins_why import why

        return why(arguments.name, as_json=arguments.json)
    if arguments.action == "check":
        from janus_core.cli.plugins_check import check

        return check(
            arguments.name,
            preset=arguments.preset,
            device=arguments.device,
            slow=arguments.slow,
            as_json=arguments.json,
        )
    return _doctor(verbose=arguments.verbose)


def _list(kind: str | None, *, everything: bool, as_json: bool) -> int:
    plugins = manager()
    components = plugins.components(kind)
    if as_json:
        print(json.dumps(list_facts(plugins, components), indent=2, default=str))
        return 0
    rows = [
        ("loaded", component.kind, component.qualified, _owner(component), summary(component.spec))
        for component in components
    ]
    if rows:
        print_table(("STATUS", "KIND", "COMPONENT", "DISTRIBUTION", "SUMMARY"), rows, _width())
    else:
        print("no components" if kind is None else f"no components of kind {kind}")
    absent = [record for record in plugins.plugins if record.status not in ("loaded", "blocked")]
    if absent:
        print("\nnot loaded (janus plugins doctor -v shows why in full):")
        print_table((), [(r.status, r.plugin, r.owner, r.reason) for r in absent], _width(), indent="  ")
    _print_blocked(plugins.plugins)
    if everything:
        print("\nplugins:")
        table = [
            (r.status, r.plugin, r.owner, r.module, _api(r.api), str(len(r.components)), f"{r.seconds * 1000:.0f} ms")
            for r in plugins.plugins
        ]
        headings = ("STATUS", "PLUGIN", "DISTRIBUTION", "MODULE", "API", "COMPONENTS", "LOAD TIME")
        print_table(headings, table, _width(), indent="  ")
    return 0


def _print_blocked(records: Sequence[PluginRecord]) -> None:
    """Blocked plugins, one line for each list that blocks them: an allow-list may block a hundred."""
    reasons: dict[str, list[str]] = {}
    for record in records:
        if record.status == "blocked":
            reasons.setdefault(record.reason, []).append(record.plugin)
    for reason, names in reasons.items():
        print(f"\nblocked, {reason}:\n  {', '.join(names)}")


def _info(name: str, *, as_json: bool) -> int:
    plugins = manager()
    found = [component for component in plugins.components() if component.answers_to(name)]
    records = [
        record for record in plugins.plugins if name in (record.plugin, f"{record.distribution}:{record.plugin}")
    ]
    if not found and not records:
        names = [component.name for component in plugins.components()]
        names += [component.qualified for component in plugins.components()]
        names += [record.plugin for record in plugins.plugins]
        what = f"there is no component or plugin {name!r}{did_you_mean(name, sorted(set(names)))}"
        raise UserError(what, "'janus plugins list' lists them all")
    if as_json:
        facts = {
            "components": [component_facts(plugins, component, details=True) for component in found],
            "plugins": [plugin_facts(record) for record in records],
        }
        print(json.dumps(facts, indent=2, default=str))
        return 0
    for record in records:
        print(f"plugin {record.plugin}: {record.status}{f', {record.reason}' if record.reason else ''}")
        print(f"  distribution  {record.owner}\n  module        {record.module}\n  hook API      {_api(record.api)}")
        for component in record.components:
            print(f"  {component.kind:<22}  {component.qualified}")
    for component in found:
        print_component(component_facts(plugins, component, details=True))
    return 0


def _schema(of: str | None) -> int:
    from janus_registry.options import options_model
    from janus_registry.schema import full_schema, union_schema

    plugins = manager()
    kind, _, name = (of or "").partition("/")
    schema: Mapping[str, Any]
    if of is None:
        schema = full_schema(plugins, [kind for kind in HOOKS if kind != "command"])
    elif not name:
        schema = union_schema(plugins, kind)
    else:
        schema = options_model(plugins.resolve(kind, name)).model_json_schema()
    print(json.dumps(schema, indent=2))
    return 0


def _doctor(*, verbose: bool) -> int:
    from janus_registry.requirements import install_command, missing_requirements

    plugins = manager()
    worst = 0
    for record in plugins.plugins:
        level = {"loaded": "OK", "blocked": "--"}.get(record.status, "FAIL")
        worst = max(worst, int(level == "FAIL"))
        what = record.reason or f"{len(record.components)} components"
        took = f" ({record.seconds * 1000:.0f} ms)" if verbose else ""
        print(f"{level:<4}  {record.plugin} ({record.owner}) {record.status}: {what}{took}")
        if level == "FAIL":
            print(
                f"      mend: reinstall or upgrade {record.distribution or record.module}, or run without it: ", end=""
            )
            print(f"JANUS_PLUGINS_DENY={record.distribution}:{record.plugin}")
        if verbose and record.traceback:
            print("      " + record.traceback.rstrip().replace("\n", "\n      "))
        if record.duplicates:
            print(f"WARN  {record.plugin} is also declared by {', '.join(record.duplicates)}: uninstall one of them")
        for component in record.components:
            try:
                missing = missing_requirements(component)
            except RegistryError as error:
                print(f"WARN  {error.what}")
                continue
            if missing:
                print(f"WARN  {component.qualified} cannot be used: it requires {', '.join(map(str, missing))}")
                print(f"      mend: {install_command(missing)}")
    for name in sorted(plugins.contested):
        print(f"WARN  several distributions own the plugin {name!r}: write dist:{name}/component, or deny one of them")
    for identifier, source in plugins.idle_policy_entries():
        print(f"WARN  {identifier!r} in {source} names no installed plugin")
    if not plugins.plugins:
        print("no plugins are installed")
    return worst


def _owner(component: Component) -> str:
    return f"{component.distribution} {component.version}"


def _api(api: tuple[int, int] | None) -> str:
    return "-" if api is None else f"{api[0]}.{api[1]}"


def _width() -> int | None:
    """Columns of the terminal; None if the output is no terminal, where nothing is cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
