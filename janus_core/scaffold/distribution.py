"""The files of a new plugin's distribution, and writing them: whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from string import Template

from janus_core.checkpoints.atomic import atomic_folder
from janus_core.errors import UserError
from janus_core.plugins import DISTRIBUTION
from janus_core.scaffold.code import literal, sorted_imports
from janus_core.scaffold.kinds import KINDS, PACKAGE_FILES, WRAP, ScaffoldKind
from janus_core.scaffold.licences import TEXTS, Author
from janus_core.scaffold.names import Names
from janus_core.scaffold.wraps import Wrapped

REQUIRES = ("torch>=2.5", "numpy>=2", "pillow>=11", "pydantic>=2.11,<3", "safetensors>=0.4")


@dataclass(frozen=True, slots=True)
class Plan:
    """A new plugin: its names, what it holds, and whose it is."""

    names: Names
    kind: str
    licence: str
    author: Author | None = None
    wrapped: Wrapped | None = None

    @property
    def scaffold(self) -> ScaffoldKind:
        """What is written."""
        return KINDS[self.kind] if self.wrapped is None else WRAP


def render(plan: Plan) -> dict[str, str]:
    """Path in the distribution's folder -> text."""
    package, words = plan.names.package, _words(plan)
    folder = plan.kind if plan.wrapped is None else "wrap"
    made = {
        "pyproject.toml": _fill("common/pyproject.toml", words),
        "README.md": _fill("common/README.md", words),
        ".gitignore": _fill("common/gitignore", words),
        ".github/workflows/test.yml": _fill("common/test.yml", words),
        "tests/test_conformance.py": _fill("common/test_conformance.py", words),
        f"{package}/__init__.py": _fill("common/package__init__.py", words),
        f"{package}/py.typed": "",
    }
    for name in plan.scaffold.files:
        made[f"{package}/{name}" if name in PACKAGE_FILES else name] = _fill(f"{folder}/{name}", words)
    if plan.licence in TEXTS:
        made["LICENSE"] = _fill(f"common/LICENSE.{plan.licence}", words)
    return {path: sorted_imports(text) if path.endswith(".py") else text for path, text in made.items()}


def write(made: Mapping[str, str], target: Path) -> None:
    """Write the files into a new folder.

    Raises:
        UserError: the folder exists, or cannot be written.
    """
    check_absent(target)
    try:
        with atomic_folder(target) as folder:
            for path, text in made.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"{target} cannot be written: {error.strerror or error}", "give another folder with --out"
        ) from error


def check_absent(target: Path) -> None:
    """Raise `UserError` if there is something at the place of the new folder."""
    if target.exists() or target.is_symlink():
        what = f"{target} exists, and nothing is ever overwritten"
        raise UserError(what, "give another folder with --out, or move it")


def _fill(name: str, words: Mapping[str, str]) -> str:
    text = files("janus_core.scaffold").joinpath("templates", f"{name}.template").read_text(encoding="utf-8")
    return Template(text).substitute(words)


def _words(plan: Plan) -> dict[str, str]:
    names, wrapped = plan.names, plan.wrapped
    summary = plan.scaffold.summary if wrapped is None else f"The model `{wrapped.model}` of {wrapped.library}."
    requires = REQUIRES if wrapped is None else wrapped.requires
    rows = {
        f"{names.package}/{name}" if name in PACKAGE_FILES else name: holds
        for name, holds in plan.scaffold.files.items()
    }
    words = {
        "distribution": names.distribution,
        "package": names.package,
        "component": names.component,
        "licence": plan.licence,
        "year": str(datetime.now(UTC).year),
        "holder": plan.author.name if plan.author else f"the authors of {names.distribution}",
        "kind_words": plan.scaffold.words,
        "summary_sentence": summary,
        "description_toml": _toml(f"{names.component}: {_article(plan.scaffold.words)} for janus-umm"),
        "authors_toml": _authors(plan.author),
        "dependencies_toml": ", ".join(map(_toml, (_core_requirement(), *requires))),
        "use_commands": "\n".join(plan.scaffold.use),
        "file_table": "\n".join(f"| `{path}` | {holds} |" for path, holds in rows.items()),
        "notes": "" if wrapped is None else _notes(wrapped),
    }
    return words if wrapped is None else words | _wrap_words(plan.licence, wrapped)


def _wrap_words(licence: str, wrapped: Wrapped) -> dict[str, str]:
    of_weights = f"; weights: {wrapped.licence}" if wrapped.licence else ""
    facts = [f"        {name}={literal(value, 8, len(name) + 1)}," for name, value in wrapped.facts.items()]
    return {
        "library": wrapped.library,
        "version": wrapped.version,
        "model": wrapped.model,
        "summary": literal(f"{wrapped.model} of {wrapped.library}: its last features"),
        "presets": literal({"tiny": wrapped.tiny}, 8, len("presets=")),
        "capabilities": literal(wrapped.capabilities, 8, len("capabilities=")),
        "requires": literal(wrapped.requires, 8, len("requires=")),
        "licence_of_weights": literal(f"{licence} (code){of_weights}" if of_weights else licence),
        "facts": "\n".join(facts),
    }


def _notes(wrapped: Wrapped) -> str:
    measured = ", ".join(f"{value:,} {name}" for name, value in wrapped.measured.items())
    rows = "\n".join(f"| {value} | {meaning} |" for value, meaning in wrapped.weights.items())
    return f"\nThe whole model: {measured}.\n\n| option `weights` | means |\n|---|---|\n{rows}\n"


def _authors(author: Author | None) -> str:
    if author is None:
        return ""
    email = f", email = {_toml(author.email)}" if author.email else ""
    return f"authors = [{{ name = {_toml(author.name)}{email} }}]\n"


def _toml(text: str) -> str:
    """A basic string; JSON's escapes are TOML's."""
    return json.dumps(text, ensure_ascii=False)


def _article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _core_requirement() -> str:
    """This release and what is compatible with it: before 1.0 a new minor may change the interface."""
    try:
        major, minor = version(DISTRIBUTION).split(".")[:2]
    except PackageNotFoundError:
        return DISTRIBUTION
    above = f"{major}.{int(minor) + 1}" if major == "0" else str(int(major) + 1)
    return f"{DISTRIBUTION}>={major}.{minor},<{above}"
