"""The hash of a component's code: it changes with any file of its packages, with nothing else, and runs nothing."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from janus_registry import code_hash as module
from janus_registry.location import code_root, editable_root, find_module, owns
from janus_registry.records import Component
from janus_registry.spec import ComponentSpec

SOURCES = {
    "toy_tower/__init__.py": "raise RuntimeError('nothing here may run')\n",
    "toy_tower/plugin.py": "",
    "toy_tower/model.py": "def build():\n    from toy_shared.blocks import Block\n    import json, toy_stranger\n",
    "toy_tower/sizes.json": "{}",
    "toy_shared/__init__.py": "",
    "toy_shared/blocks.py": "import toy_deep\n",
    "toy_deep.py": "",
    "toy_unused.py": "",
    "toy_program.py": "",
    "toy_stranger.py": "",
}
OWN = [name for name in SOURCES if name != "toy_stranger.py"]


def component(*references: str, distribution: str = "toy-tower") -> Component:
    factory, options = references or ("toy_tower.model:build", "toy_tower.options:Options")
    spec = ComponentSpec(name="tower", summary="", factory=factory, options=options)
    return Component("widget", spec, "tower", distribution, "1.0", "toy_tower.plugin")


def hashed(item: Component, *outside: str) -> str:
    """As another process would see it."""
    module._hash.cache_clear()
    module._tree_hash.cache_clear()
    importlib.invalidate_caches()
    return module.code_hash(item, outside)


@pytest.fixture
def tower(shelf: Any) -> Iterator[Path]:
    """A distribution of four packages, installed as a wheel is, beside a stranger's."""
    for name, text in SOURCES.items():
        (shelf.folder / name).parent.mkdir(exist_ok=True)
        (shelf.folder / name).write_text(text)
    for distribution, names in (("toy-tower", OWN), ("toy-stranger", ["toy_stranger.py"])):
        shelf.add(distribution, {})
        info = shelf.folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
        (info / "RECORD").write_text("".join(f"{name},,\n" for name in names))
    yield shelf.folder
    assert not any(name.startswith("toy_") for name in sys.modules)


CHANGED = {
    "toy_tower/model.py": True,
    "toy_tower/sizes.json": True,
    "toy_tower/new.py": True,
    "toy_shared/blocks.py": True,
    "toy_deep.py": True,
    "toy_unused.py": False,
    "toy_stranger.py": False,
    "toy_tower/model.pyc": False,
    "toy_tower/__pycache__/model.cpython-311.py": False,
    "toy_tower/.model.py.swp": False,
}


@pytest.mark.parametrize("name", CHANGED)
def test_what_changes_it(tower: Path, name: str) -> None:
    before = hashed(component())
    assert len(before) == 64
    assert hashed(component()) == before
    (tower / name).parent.mkdir(exist_ok=True)
    with (tower / name).open("a") as file:
        file.write("# more\n")
    assert (hashed(component()) != before) == CHANGED[name]


def test_a_renamed_file_changes_it(tower: Path) -> None:
    before = hashed(component())
    (tower / "toy_tower/sizes.json").rename(tower / "toy_tower/other.json")
    assert hashed(component()) != before


def test_the_program_is_left_out(tower: Path) -> None:
    (tower / "toy_tower/model.py").write_text("import toy_program\n")
    before = hashed(component()), hashed(component(), "toy_program")
    (tower / "toy_program.py").write_text("x = 1\n")
    after = hashed(component()), hashed(component(), "toy_program")
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_what_cannot_be_found_has_none(tower: Path) -> None:
    nowhere = component("no_such.model:build", "no_such.options:Options")
    assert hashed(Component("widget", nowhere.spec, "tower", "toy-tower", "1.0", "no_such.plugin")) == ""
    assert hashed(component(distribution="not-installed")) != ""  # its own package is there


def test_it_is_read_once_in_a_process(tower: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = hashed(component())
    monkeypatch.setattr(module, "_files", lambda root: pytest.fail("read again"))
    assert module.code_hash(component()) == first


def test_modules_are_found_without_importing(tower: Path) -> None:
    (tower / "acme" / "tower").mkdir(parents=True)
    (tower / "acme" / "tower" / "__init__.py").write_text("")
    (tower / "acme" / "tower" / "plugin.py").write_text("")
    importlib.invalidate_caches()
    assert code_root("toy_tower.plugin") == tower / "toy_tower"
    assert code_root("toy_deep") == tower / "toy_deep.py"
    assert code_root("acme.tower.plugin") == tower / "acme" / "tower"  # through the namespace package
    assert code_root("no_such") is None
    found = find_module("toy_tower.plugin")
    assert found is not None
    assert found.origin == str(tower / "toy_tower" / "plugin.py")
    assert find_module("toy_tower.gone") is None
    stranger = metadata.distribution("toy-stranger")
    assert owns(stranger, tower / "toy_stranger.py")
    assert owns(stranger, tower / "toy_tower") is False


PROJECT = """
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"
[project]
name = "toy-project"
version = "1.0"
[tool.hatch.build.targets.wheel]
packages = ["lib/toy_project", "lib/toy_part"]
"""
MEASURE = """
import json, site, sys
site.addsitedir(sys.argv[1])
from importlib import metadata
from janus_registry.code_hash import code_hash
from janus_registry.location import editable_root
from janus_registry.records import Component
from janus_registry.spec import ComponentSpec
spec = ComponentSpec(name="a", summary="", factory="toy_project.model:build", options="toy_project.model:Options")
found = code_hash(Component("widget", spec, "a", "toy-project", "1.0", "toy_project.model"))
print(json.dumps([found, str(editable_root(metadata.distribution("toy-project")) or "")]))
"""


def test_a_wheel_and_an_editable_install_of_the_same_files_are_the_same(tmp_path: Path) -> None:
    project = tmp_path / "project"
    for name, text in (("toy_project", "import toy_part\n"), ("toy_part", "")):
        (project / "lib" / name).mkdir(parents=True)
        (project / "lib" / name / "__init__.py").write_text("")
        (project / "lib" / name / "model.py").write_text(text)
    (project / "pyproject.toml").write_text(PROJECT)

    def installed(how: list[str]) -> Path:
        target = tmp_path / ("editable" if how else "wheel")
        command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--target", str(target)]
        subprocess.run([*command, *how, str(project)], check=True)
        return target

    def measured(target: Path) -> tuple[str, str]:
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(target)], capture_output=True, text=True, check=True, timeout=120
        )
        found, root = json.loads(done.stdout)
        return found, root

    wheel, editable = installed([]), installed(["-e"])
    first = measured(wheel)[0]
    assert len(first) == 64
    assert measured(editable) == (first, str(project))
    (project / "lib" / "toy_part" / "model.py").write_text("x = 1\n")
    second = measured(editable)[0]
    assert second != first
    assert measured(wheel)[0] == first
    (wheel / "toy_part" / "model.py").write_text("x = 1\n")  # edited where it is installed
    assert measured(wheel)[0] == second


def test_no_editable_root_without_the_file_or_with_a_strange_one(tower: Path) -> None:
    found = metadata.distribution("toy-tower")
    for text in (None, "{", "[]", '{"url": "file:///x"}', '{"dir_info": {"editable": true}}'):
        if text is not None:
            (tower / "toy_tower-1.0.dist-info" / "direct_url.json").write_text(text)
        assert editable_root(found) is None
