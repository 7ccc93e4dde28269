"""What docs/versioning.md claims and no other test shows: its names exist, and what is deprecated is told."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from janus_core import plugins
from janus_core.cli import main

PAGE = Path(__file__).resolve().parents[2] / "docs" / "versioning.md"

PLUGIN = """
from janus_core.hookspecs import AdapterSpec, hookimpl
JANUS_HOOK_API = (1, 0)
@hookimpl
def janus_adapters():
    yield AdapterSpec(name="faded", summary="a linear map", factory="janus_adapters.pointwise:build_linear",
                      options="toy_faded:Options", deprecated="since 1.4; use linear")
"""
OPTIONS = """
from pydantic import BaseModel, ConfigDict, Field
class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    width: int = Field(default=8, deprecated="since 1.4; leave it out", description="not used")
"""


def test_every_name_of_the_page_exists() -> None:
    text = PAGE.read_text(encoding="utf-8")
    names = set(re.findall(r"`(janus_[\w.]+)`", text))
    assert {"janus_core.hookspecs.HOOK_API", "janus_core.conformance.SUITE", "janus_registry.spec"} <= names
    for name in names:
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute) or importlib.import_module(name), name


@pytest.fixture
def faded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    info = tmp_path / "toy_faded-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-faded\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[janus.plugins]\nfaded = toy_faded_plugin\n")
    (tmp_path / "toy_faded_plugin.py").write_text(PLUGIN)
    (tmp_path / "toy_faded.py").write_text(OPTIONS)
    monkeypatch.syspath_prepend(tmp_path)
    plugins.manager.cache_clear()
    yield
    plugins.manager.cache_clear()
    for name in ("toy_faded", "toy_faded_plugin"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("faded")
def test_what_is_deprecated_is_marked_in_listings_and_told_by_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plugins", "list", "--kind", "adapter"]) == 0
    assert "(deprecated) a linear map" in capsys.readouterr().out
    assert main(["plugins", "info", "faded/faded"]) == 0
    shown = capsys.readouterr()
    assert re.search(r"deprecated +since 1.4; use linear", shown.out)
    assert "(deprecated) not used" in shown.out
    assert shown.err == ""
    tiny = {"preset": "tiny"}
    model = {
        "language_model": {"type": "llama", **tiny},
        "encoders": {"image": {"type": "siglip", **tiny}},
        "adapters": {"image": {"type": "faded", "options": {"width": 4}}},
    }
    data = {"understanding": ["scenes"]}
    stage = {"name": "a", "train": ["*"], "steps": 1, "batch_size": 1, "mixture": {"understanding": 1}, "data": data}
    sources = {"scenes": {"type": "openmoji_scenes", "options": {"task": "understanding"}}}
    recipe = {"name": "r", "model": model, "sources": sources, "stages": [stage | {"learning_rate": 0.1}]}
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    assert main(["recipe", "check", str(tmp_path / "r.yaml")]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "janus recipe: warning: model.adapters.image: faded/faded is deprecated: since 1.4; use linear",
        "janus recipe: warning: model.adapters.image: the option 'width' of faded/faded is deprecated: since 1.4; "
        "leave it out",
    ]
