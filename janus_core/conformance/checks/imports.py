"""What the component's modules import is declared, so that it is there on other machines too."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

from janus_core.conformance.check import KINDS, Fault, check
from janus_core.conformance.reimport import PROGRAM
from janus_core.conformance.subject import Subject
from janus_core.plugins import DISTRIBUTION
from janus_registry.discovery import canonical

NAME = re.compile(r"[A-Za-z0-9._-]+")


@check("undeclared", "must", KINDS, "what its modules import is required by the record or by its distribution",
       prevents="an import error on the next machine")  # fmt: skip
def undeclared(subject: Subject) -> str:
    subject.need("forward")
    owners = packages_distributions()
    declared = [*subject.component.spec.requires, *_required(subject.component.distribution), DISTRIBUTION]
    there = _closure(frozenset(canonical(NAME.match(text).group()) for text in declared if NAME.match(text)))  # type: ignore[union-attr]
    names = sorted({name for file in _files(subject) for name in imported(ast.parse(file.read_bytes()))})
    for name in names:
        if name in sys.stdlib_module_names or name in subject.own or name in PROGRAM or name not in owners:
            continue
        given = {canonical(owner) for owner in owners[name]}
        if not given & there and canonical(subject.component.distribution) not in given:
            raise Fault(
                f"it imports {name} (distribution {', '.join(owners[name])}), which nothing requires",
                f'add "{owners[name][0]}" to `requires` of the record, and to the dependencies of the distribution',
            )
    return f"{len(names)} imports"


def _files(subject: Subject) -> Iterator[Path]:
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name in subject.references and file and file.endswith(".py"):
            yield Path(file)


def imported(node: ast.AST) -> Iterator[str]:
    """Top-level names of what code imports, but for types only, or where it can do without."""
    if isinstance(node, ast.Import):
        yield from (alias.name.partition(".")[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        if node.level == 0 and node.module:
            yield node.module.partition(".")[0]
    elif not (isinstance(node, ast.Try) or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))):
        for child in ast.iter_child_nodes(node):
            yield from imported(child)


def _required(distribution: str) -> list[str]:
    """Requirements of a distribution, without those of its extras."""
    try:
        return [text for text in requires(distribution) or () if "extra ==" not in text]
    except (PackageNotFoundError, ValueError):
        return []


@cache
def _closure(names: frozenset[str]) -> frozenset[str]:
    """These distributions and all that they require."""
    found, waiting = set[str](), list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [canonical(word.group()) for text in _required(name) if (word := NAME.match(text))]
    return frozenset(found)
