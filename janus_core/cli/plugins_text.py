"""Plugins and components as JSON-able facts and as aligned text, for ``janus plugins``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from janus_registry.errors import RegistryError
from janus_registry.manager import PluginManager
from janus_registry.records import Component, PluginRecord

SHOWN = ("summary", "factory", "transform", "pretraining", "modality", "tasks", "licence", "paper", "deprecated")

SETTINGS = ("options", "losses")
"""What of a record names a pydantic model of settings."""


def summary(spec: Any) -> str:
    """One line for listings; a record that is to go says so first."""
    return f"(deprecated) {spec.summary}" if getattr(spec, "deprecated", "") else str(spec.summary)


def plugin_facts(record: PluginRecord) -> dict[str, Any]:
    """What ``--json`` says of a plugin."""
    return {
        "plugin": record.plugin,
        "distribution": record.distribution,
        "version": record.version,
        "module": record.module,
        "status": record.status,
        "reason": record.reason,
        "api": record.api,
        "components": [component.qualified for component in record.components],
        "seconds": round(record.seconds, 4),
        "duplicates": record.duplicates,
    }


def component_facts(plugins: PluginManager, component: Component, *, details: bool = False) -> dict[str, Any]:
    """What ``--json`` says of a component.

    Args:
        plugins: where it is from.
        component: the component.
        details: also the options (imports pydantic and the plugin's options) and what is missing.
    """
    facts: dict[str, Any] = {
        "kind": component.kind,
        "name": component.name,
        "qualified": component.qualified,
        "type": plugins.spelling(component),
        "plugin": component.plugin,
        "distribution": component.distribution,
        "version": component.version,
        "status": "loaded",
    }
    for field in dataclasses.fields(component.spec):
        if field.name == "layouts":
            facts["layouts"] = sorted(component.spec.layouts)
        elif field.name != "name":
            facts[field.name] = _plain(getattr(component.spec, field.name))
    if details:
        from janus_registry.requirements import missing_requirements

        facts["missing"] = [str(item) for item in missing_requirements(component)]
        from janus_registry.options import strict_model

        for what in SETTINGS:
            reference = getattr(component.spec, what, None)
            try:
                if reference:
                    facts[f"{what}_schema"] = strict_model(component, reference).model_json_schema()
            except RegistryError as error:
                facts[f"{what}_error"] = error.what
    return facts


def list_facts(plugins: PluginManager, components: Sequence[Component]) -> dict[str, Any]:
    """What ``janus plugins list --json`` prints."""
    return {
        "hook_api": plugins.api,
        "components": [component_facts(plugins, component) for component in components],
        "plugins": [plugin_facts(record) for record in plugins.plugins],
    }


def print_component(facts: Mapping[str, Any]) -> None:
    """A component's facts with the details, as text."""
    print(f"{facts['kind']} {facts['qualified']}")
    print(f"  {'written as':<13} type: {facts['type']}")
    print(f"  {'distribution':<13} {facts['distribution']} {facts['version']}")
    for key in SHOWN:
        if facts.get(key):
            value = facts[key]
            print(f"  {key:<13} {', '.join(value) if isinstance(value, list) else value}")
    if facts.get("layouts"):
        print(f"  {'layouts':<13} {', '.join(facts['layouts'])}")
    for key, value in (facts.get("capabilities") or {}).items():
        print(f"  {'capability':<13} {key}: {value}")
    for requirement in facts.get("requires") or ():
        print(f"  {'requires':<13} {requirement}")
    for item in facts.get("missing") or ():
        print(f"  {'MISSING':<13} {item}")
    for name, values in (facts.get("presets") or {}).items():
        print(f"  {'preset':<13} {name}: {', '.join(f'{key}={value}' for key, value in values.items()) or 'defaults'}")
    for what in SETTINGS:
        if f"{what}_error" in facts:
            print(f"  {what:<13} {facts[f'{what}_error']}")
        elif f"{what}_schema" in facts:
            _print_options(what, facts[f"{what}_schema"])


def _print_options(what: str, schema: Mapping[str, Any]) -> None:
    required = schema.get("required", [])
    print(f"  {what}")
    rows = [
        (name, _type(field), "required" if name in required else _default(field), _meaning(field))
        for name, field in schema.get("properties", {}).items()
    ]
    print_table(("OPTION", "TYPE", "DEFAULT", "MEANING"), rows or [("none", "", "", "")], None, indent="    ")


def _meaning(field: Mapping[str, Any]) -> str:
    text = str(field.get("description", ""))
    return f"(deprecated) {text}".rstrip() if field.get("deprecated") else text


def _default(field: Mapping[str, Any]) -> str:
    return repr(field["default"]) if "default" in field else ""


def _type(field: Mapping[str, Any]) -> str:
    """The type in a JSON schema, in one word or a few."""
    if "enum" in field:
        return " | ".join(map(repr, field["enum"]))
    if "const" in field:
        return repr(field["const"])
    for key in ("anyOf", "oneOf"):
        if key in field:
            return " | ".join(_type(part) for part in field[key])
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    name = str(field.get("type", "any"))
    if name == "array" and isinstance(field.get("items"), dict):
        return f"list of {_type(field['items'])}"
    limits = [("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="), ("exclusiveMaximum", "<")]
    return " ".join([name, *(f"{sign}{field[key]}" for key, sign in limits if key in field)])


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], width: int | None, indent: str = "") -> None:
    """Print aligned columns; the last is cut to ``width`` columns in all, if a width is given."""
    table = [row for row in (headings, *rows) if row]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]) - 1)]
    for row in table:
        cells = [f"{cell:<{size}}" for cell, size in zip(row, widths, strict=False)]
        line = (indent + "  ".join([*cells, row[-1]])).rstrip()
        print(line if width is None or len(line) <= width else line[: max(width - 3, 20)] + "...")


def _plain(value: Any) -> Any:
    """Mappings and tuples as JSON knows them."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list | set | frozenset):
        return [_plain(item) for item in value]
    return value
