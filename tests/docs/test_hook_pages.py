"""The pages of the hooks are what the code says now, and every hook, field and variable is documented."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from janus_core import interfaces
from janus_core.conformance.capabilities import CAPABILITIES, unknown_capabilities
from janus_core.conformance.check import KINDS, checks
from janus_core.hookspecs import HOOKS
from janus_core.plugins import components

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [path for room in ("janus_core", "registry", "benchmarks", "plugins") for path in (ROOT / room).rglob("*.py")]
TEXTS = {path: path.read_text(encoding="utf-8") for path in SOURCES}


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_hook_pages", ROOT / "tools" / "write_hook_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = _tool()


def test_the_pages_are_current() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in tool.PAGES.glob("*.md")}
    assert written.keys() == tool.pages().keys() == {f"{kind}.md" for kind in HOOKS} | {"README.md"}
    for name, text in tool.pages().items():
        assert written[name] == text, "run python tools/write_hook_pages.py"


@pytest.mark.parametrize("kind", HOOKS)
def test_every_field_and_member_has_a_meaning(kind: str) -> None:
    hook, record = HOOKS[kind]
    assert "(since " in (getattr(tool.JanusHooks, hook).__doc__ or "")
    for name, _, _, meaning in tool._fields(record):
        assert len(meaning) > 8, f"{record.__name__}.{name} is documented nowhere: write it in Attributes"
    protocol, exchanged = tool.PROTOCOLS[kind]
    for name in (protocol, *exchanged):
        found = tool.exchanged_record(name)
        documented = tool.attributes(found)
        fields = (
            [f.name for f in dataclasses.fields(found)] if dataclasses.is_dataclass(found) else found.__annotations__
        )
        assert set(fields) == set(documented), name
    page = tool.pages()[f"{kind}.md"]
    assert f"### `{protocol}`" in page


def test_every_interface_is_on_a_page() -> None:
    """A Protocol or record of the interfaces that no page shows is one that no author finds."""
    whole = "".join(tool.pages().values())
    for name, found in vars(interfaces).items():
        if isinstance(found, type) and found.__module__ == interfaces.__name__:
            assert f"### `{name}`" in whole, f"add {name} to PROTOCOLS of tools/write_hook_pages.py"


def test_capabilities_are_known() -> None:
    read = {name for text in TEXTS.values() for name in re.findall(r'(?:capability|capabilities\.get)\("(\w+)"', text)}
    read |= {check.unless for check in checks() if check.unless}
    assert {name for name in read if not name.startswith("x_")} <= CAPABILITIES.keys()
    for item in CAPABILITIES.values():
        assert set(item.kinds) <= set(KINDS)
        for named in re.findall(r"the check `(\w+)`", item.meaning):
            assert named in {check.id for check in checks()}
    for component in (component for kind in KINDS for component in components(kind)):  # type: ignore[arg-type]
        assert unknown_capabilities(component.spec.capabilities, component.kind) == [], component.qualified
    for check in checks():
        assert not check.unless or CAPABILITIES[check.unless].kinds == check.kinds


def variables() -> set[str]:
    """Every JANUS_* variable that the code reads, those included whose prefix is an argument."""
    named = {name for text in TEXTS.values() for name in re.findall(r"[\"'`](JANUS_[A-Z_]+[A-Z])", text)}
    tails = {tail for text in TEXTS.values() for tail in re.findall(r"\{\w*\.?_?prefix\}(_[A-Z_]+[A-Z])", text)}
    return (named | {f"JANUS{tail}" for tail in tails}) - {"JANUS_HOOK_API"}


def test_every_variable_is_documented() -> None:
    found = variables()
    assert {"JANUS_PLUGINS", "JANUS_PLUGINS_DENY", "JANUS_PLUGINS_FILE", "JANUS_STRICT_PLUGINS", "JANUS_DEBUG"} <= found
    page = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    for name in found:
        assert f"`{name}`" in page, f"{name} is missing in the table of docs/plugins.md"
