"""Writes ``docs/hooks``, a page a hook: ``python tools/write_hook_pages.py``.

All that they say is in the docstrings of `janus_core.hookspecs` and `janus_core.interfaces`, in the kit, or declared by
the components that ship.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from janus_core import hookspecs, interfaces, scores
from janus_core.conformance.capabilities import CAPABILITIES
from janus_core.conformance.check import KINDS, checks
from janus_core.hookspecs import HOOK_API, HOOKS, JanusHooks
from janus_core.plugins import DISTRIBUTION, components

PAGES = Path(__file__).resolve().parents[1] / "docs" / "hooks"

PROTOCOLS: dict[str, tuple[str, tuple[str, ...]]] = {
    "understanding_encoder": ("UnderstandingEncoder", ("Transform", "Prepared", "Features", "BuildContext")),
    "generation_tokenizer": ("GenerationTokenizer", ("Transform", "Prepared", "CodeLayout", "BuildContext")),
    "adapter": ("Adapter", ("Features", "BuildContext")),
    "generation_head": ("GenerationHead", ("CodeLayout", "Noise", "Sampling", "BuildContext")),
    "language_model": ("LanguageModel", ("SequenceLayout", "Cache", "BuildContext")),
    "data_source": ("DataSource", ("Sample", "Message", "Given", "Target", "BadRecord", "BuildContext")),
    "benchmark": (
        "Benchmark",
        (
            *("ScoresFiles", "BenchmarkWork", "Question", "Picture", "Sampling"),
            *("ScoreCard", "Score", "ScoredItem", "BuildContext"),
        ),
    ),
    "command": ("Command", ()),
}
"""Kind -> what its factory gives, and what that exchanges with the rest."""

EXAMPLE = {
    "name": "mine",
    "summary": "one line for listings",
    "factory": "janus_mine.model:build",
    "transform": "janus_mine.model:build_transform",
    "options": "janus_mine.options:Options",
    "tasks": ("understanding",),
    "protocols": (hookspecs.ProtocolSpec(name="main", summary="how it asks and scores"),),
}
"""Values of required fields in the examples."""


def main() -> int:
    """Write every page and the index; pages of hooks that are gone are removed."""
    PAGES.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for path in PAGES.glob("*.md"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (PAGES / name).write_text(text, encoding="utf-8")
    print(f"{len(wanted)} pages in {PAGES}")
    return 0


def pages() -> dict[str, str]:
    """File name -> text."""
    found = {f"{kind}.md": "\n".join(_page(kind)) + "\n" for kind in HOOKS}
    return found | {"README.md": "\n".join(_index()) + "\n"}


def _index() -> Iterator[str]:
    yield "# The hooks"
    yield ""
    yield f"Hook API {HOOK_API[0]}.{HOOK_API[1]}. How to write a plugin: [plugins.md](../plugins.md)."
    yield "Written by `python tools/write_hook_pages.py`."
    yield ""
    rows = [
        (f"[`{hook}`]({kind}.md)", f"`{record.__name__}`", f"`{PROTOCOLS[kind][0]}`", _first(_doc(record)))
        for kind, (hook, record) in HOOKS.items()
    ]
    yield from _table(("hook", "yields", "its factory gives", "what it is"), rows)


def _page(kind: str) -> Iterator[str]:
    hook, record = HOOKS[kind]
    yield f"# `{hook}`"
    yield ""
    yield f"{_doc(getattr(JanusHooks, hook))} {_first(_doc(record))} Yields `{record.__name__}` records."
    yield "[All hooks](README.md). Written by `python tools/write_hook_pages.py`."
    yield ""
    yield from _example(hook, record)
    yield ""
    yield "## Fields of the record"
    yield from _table(("field", "type", "default", "meaning"), _fields(record))
    if "protocols" in {field.name for field in dataclasses.fields(record)}:
        yield from _record(hookspecs.ProtocolSpec)
    if "layouts" in {field.name for field in dataclasses.fields(record)}:
        for name in ("Layout", "Rename", "Split"):
            yield from _record(getattr(hookspecs, name))
    protocol, exchanged = PROTOCOLS[kind]
    yield ""
    yield "## What the factory gives"
    yield f"The factory is called as {_call(kind)}; nothing has to be inherited."
    yield from _record(getattr(interfaces, protocol))
    if "pretraining" in {field.name for field in dataclasses.fields(record)}:
        exchanged = (*exchanged, "Pretrainable")
    for name in exchanged:
        yield from _record(exchanged_record(name))
    if kind in KINDS:
        yield from _capabilities(kind)
        yield from _checks(kind)
    yield from _shipped(kind)


def _example(hook: str, record: type) -> Iterator[str]:
    required = [field.name for field in dataclasses.fields(record) if _default(field) == "required"]
    yield "```python"
    yield "from collections.abc import Iterable"
    yield ""
    more = ["ProtocolSpec"] if "protocols" in required else []
    yield f"from janus_core.hookspecs import {', '.join([record.__name__, *more])}, hookimpl"
    yield ""
    yield f"JANUS_HOOK_API: tuple[int, int] = {HOOK_API}"
    yield ""
    yield ""
    yield "@hookimpl"
    yield f"def {hook}() -> Iterable[{record.__name__}]:"
    yield f"    yield {record.__name__}("
    yield from (f"        {name}={_written(EXAMPLE[name])}," for name in required)
    yield "    )"
    yield "```"


def _written(value: object) -> str:
    """Source code of a value; of a record, what differs from its defaults."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_written, value))},)" if len(value) == 1 else f"({', '.join(map(_written, value))})"
    if dataclasses.is_dataclass(value):
        told = [field for field in dataclasses.fields(value) if getattr(value, field.name) != field.default]
        named = (f"{field.name}={_written(getattr(value, field.name))}" for field in told)
        return f"{type(value).__name__}({', '.join(named)})"
    return repr(value).replace("'", '"')


def _fields(record: type) -> list[tuple[str, ...]]:
    meanings = {name: text for base in reversed(record.__mro__) for name, text in attributes(base).items()}
    return [
        (f"`{field.name}`", f"`{_type(field.type)}`", _default(field), meanings.get(field.name, ""))
        for field in dataclasses.fields(record)
    ]


def exchanged_record(name: str) -> type:
    """A Protocol or data class of the interfaces or of the scores."""
    found: type = getattr(interfaces, name, None) or getattr(scores, name)
    return found


def _record(found: type) -> Iterator[str]:
    """A Protocol or a small data class: what it is, what it holds, what it does."""
    yield ""
    yield f"### `{found.__name__}`"
    yield _prose(found)
    documented = attributes(found)
    rows = _fields(found) if dataclasses.is_dataclass(found) else [
        (f"`{name}`", f"`{_type(kind)}`", text)
        for name, text in documented.items()
        for kind in [found.__annotations__[name]]
    ]  # fmt: skip
    if rows:
        headings = ("field", "type", "default", "meaning") if len(rows[0]) == 4 else ("attribute", "type", "meaning")
        yield from _table(headings, rows)
    for name, method in vars(found).items():
        public = not name.startswith("_") or name in ("__call__", "__len__", "__getitem__")
        if inspect.isfunction(method) and public and not dataclasses.is_dataclass(found):
            signature = re.sub(r"\(self(, )?", "(", str(inspect.signature(method)))
            yield ""
            yield f"`{name}{_type(signature)}`  "
            yield _doc(method)


def _call(kind: str) -> str:
    """How factories of this kind are called, as the module's docstring lists it."""
    if kind == "command":
        return "`factory()`"
    short = {"understanding_encoder": "encoder", "generation_tokenizer": "tokenizer"}.get(kind, kind.replace("_", " "))
    for names, call in re.findall(r"^\* (.+?): ``(.+?)``$", interfaces.__doc__ or "", re.MULTILINE):
        if short in names.split(", "):
            return f"`{call}`"
    raise LookupError(f"janus_core.interfaces does not say how a factory of {kind} is called")


def _capabilities(kind: str) -> Iterator[str]:
    yield ""
    yield "## Capabilities"
    yield "Facts that a record may declare; names of your own begin with `x_`."
    rows = [(f"`{name}`", item.values, item.meaning) for name, item in CAPABILITIES.items() if kind in item.kinds]
    yield from _table(("capability", "value", "meaning"), rows)


def _checks(kind: str) -> Iterator[str]:
    yield ""
    yield "## Checks"
    yield "Put to it by `janus plugins check NAME`; see [conformance.md](../conformance.md)."
    yield from _table(("check", "level", "asks whether"), [(f"`{c.id}`", c.level_now, c.title) for c in checks(kind)])


def _shipped(kind: str) -> Iterator[str]:
    shipped = [item for item in components(kind) if item.distribution == DISTRIBUTION]  # type: ignore[arg-type]
    if shipped:
        yield ""
        yield "## Shipped"
        rows = [
            (
                f"`{c.qualified}`",
                c.spec.summary,
                ", ".join(getattr(c.spec, "presets", ())),
                getattr(c.spec, "licence", ""),
            )
            for c in shipped
        ]
        yield from _table(("component", "what it is", "presets", "licence"), rows)


def attributes(found: type) -> dict[str, str]:
    """Name -> meaning, from the ``Attributes:`` of a class's own docstring."""
    _, _, part = inspect.cleandoc(vars(found).get("__doc__") or "").partition("Attributes:\n")
    named: dict[str, str] = {}
    for line in part.splitlines():
        if match := re.match(r"    (\w[\w, `]*?): (.*)", line):
            last = [name.strip(" `") for name in match[1].split(",")]
            named |= dict.fromkeys(last, _markdown(match[2]))
        elif line.startswith("        ") and named:
            named |= {name: f"{named[name]} {_markdown(line.strip())}" for name in last}
    return named


def _doc(found: Any) -> str:
    return _markdown(inspect.getdoc(found) or "").strip()


def _prose(found: type) -> str:
    return _doc(found).partition("Attributes:")[0].strip()


def _first(text: str) -> str:
    return text.partition("\n")[0]


def _markdown(text: str) -> str:
    """reStructuredText's double backticks are Markdown's single ones."""
    return text.replace("``", "`")


def _type(annotation: object) -> str:
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return text.replace("'", "").replace("|", "or")


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        shown = f"Path({str(field.default)!r})" if isinstance(field.default, Path) else repr(field.default)
        return f"`{shown}`"
    return "required" if field.default_factory is dataclasses.MISSING else f"`{field.default_factory()!r}`"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield ""
    for row in (headings, ["---"] * len(headings), *rows):
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


if __name__ == "__main__":
    sys.exit(main())
