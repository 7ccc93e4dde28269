"""The command ``janus``: a static table of built-in commands, each in its own module, and the plugins' commands."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from janus_core.cli.errors import USER, guard, show

if TYPE_CHECKING:
    from janus_core.interfaces import Command

COMMANDS: dict[str, tuple[str, str]] = {
    "train": ("train a recipe", "janus_core.cli.train"),
    "pretrain": ("train one part of a recipe alone", "janus_core.cli.pretrain"),
    "answer": ("answer a question about an image or another input", "janus_core.cli.answer"),
    "draw": ("draw images from a text", "janus_core.cli.draw"),
    "inpaint": ("draw a part of an image anew", "janus_core.cli.inpaint"),
    "info": ("what a model is: parts, parameters, tokens, licence", "janus_core.cli.info"),
    "import": ("read a published Janus checkpoint", "janus_core.cli.import_model"),
    "export": ("write a checkpoint in a published Janus format", "janus_core.cli.export_model"),
    "merge": ("add LoRA weights to the weights that they update", "janus_core.cli.merge"),
    "recipe": ("check, show and compare recipes", "janus_core.cli.recipe"),
    "cache": ("features and codes of frozen parts, computed once", "janus_core.cli.cache"),
    "plugins": ("list and examine plugins and their components", "janus_core.cli.plugins"),
    "doctor": ("check that this environment can run everything", "janus_core.cli.doctor"),
}
"""Name -> (summary, module with ``add_arguments(parser)`` and ``run(arguments) -> int``), imported when chosen."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``janus`` with these arguments (default: the process's) and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments[0] if arguments and not arguments[0].startswith("-") else None
    program = "janus" if name is None else f"janus {name}"

    def run() -> int:
        if name is None:
            return _top(arguments)
        command = _find(name)
        parser = argparse.ArgumentParser(prog=program, description=_summary(name, command), allow_abbrev=False)
        command.add_arguments(parser)
        try:
            parsed = parser.parse_args(arguments[1:])
        except SystemExit as stop:  # argparse has printed its help or its complaint
            return stop.code if isinstance(stop.code, int) else USER
        return command.run(parsed)

    return guard(program, run)


def _top(arguments: list[str]) -> int:
    """``janus`` without a command."""
    if arguments[:1] == ["--version"]:
        print(_version())
        return 0
    if arguments[:1] in (["-h"], ["--help"]):
        print(_help())
        return 0
    what = f"unknown option {arguments[0]!r}" if arguments else "a command is missing"
    show("janus", what, "'janus --help' lists the commands")
    return USER


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    from janus_core.hookspecs import HOOK_API
    from janus_core.plugins import DISTRIBUTION

    try:
        installed = version(DISTRIBUTION)
    except PackageNotFoundError:
        installed = "(not installed)"
    python = ".".join(map(str, sys.version_info[:3]))
    return f"{DISTRIBUTION} {installed} (hook API {HOOK_API[0]}.{HOOK_API[1]}, Python {python})"


def _help() -> str:
    from janus_registry.errors import RegistryError

    lines = [
        "usage: janus COMMAND [...]",
        "       janus COMMAND --help",
        "       janus --version",
        "",
        "Unified multimodal models: swap the encoder, swap the tokenizer, keep everything else fixed.",
        "",
        "commands:",
    ]
    rows = [(name, summary) for name, (summary, _) in COMMANDS.items()]
    note = ""
    try:
        rows += _plugin_rows()
    except RegistryError as error:  # help must be had whatever is wrong with the plugins
        note = f"\nThe plugins' commands are not listed: {error.what.splitlines()[0]} (janus plugins doctor)"
    width = max(len(name) for name, _ in rows)
    return "\n".join([*lines, *(f"  {name:<{width}}  {summary}" for name, summary in rows)]) + note


def _plugin_rows() -> list[tuple[str, str]]:
    """(name to type, summary and owner) of the plugins' commands; one that a built-in hides needs its full name."""
    from janus_core.plugins import manager

    rows = []
    for component in manager().components("command"):
        typed = manager().spelling(component)
        typed = component.qualified if typed in COMMANDS else typed
        rows.append((typed, f"{component.spec.summary} ({component.distribution})"))
    return rows


def _find(name: str) -> Command:
    """The command of this name; a built-in always wins over a plugin's."""
    from janus_core.errors import UserError

    if name in COMMANDS:
        module = COMMANDS[name][1]
        try:
            return cast("Command", importlib.import_module(module))
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
            raise UserError(f"the command {name!r} is not in this installation ({module} is missing)") from None

    from janus_core.plugins import manager
    from janus_registry.errors import RegistryError, UnknownComponent, did_you_mean
    from janus_registry.requirements import import_reference

    try:
        component = manager().resolve("command", name)
    except UnknownComponent:
        plugins = manager()
        names = [*COMMANDS, *(plugins.spelling(component) for component in plugins.components("command"))]
        missing = [
            f"{record.plugin} {record.status}: {record.reason}"
            for record in plugins.plugins
            if record.status in ("failed", "incompatible")
        ]
        what = f"there is no command {name!r}{did_you_mean(name, names)}\ncommands: {', '.join(names)}"
        if missing:
            what = "\n".join([what, "plugins that are not loaded and may hold it:", *(f"  {line}" for line in missing)])
        raise UserError(what, "'janus --help' lists the commands") from None
    except RegistryError as error:
        near = did_you_mean(name, COMMANDS)
        raise UserError(f"there is no built-in command {name!r}{near}\n{error.what}", error.remedy) from error
    return cast("Command", import_reference(component.spec.factory, component)())


def _summary(name: str, command: object) -> str:
    """What ``janus COMMAND --help`` begins with: the table's summary, else the command's own docstring."""
    if name in COMMANDS:
        return COMMANDS[name][0]
    return (getattr(command, "__doc__", None) or "").strip()
