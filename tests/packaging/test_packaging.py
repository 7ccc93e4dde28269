"""The distribution: what the wheel holds, that it works outside the repository, and that no file names a host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "uv", "build", "--quiet", "--wheel", "--out-dir", str(out), str(ROOT)]
    subprocess.run(command, check=True)
    return next(out.glob("*.whl"))


def test_the_wheel_holds_only_our_names(wheel: Path) -> None:
    top = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    packages = {name for name in top if not name.endswith(".dist-info")}
    assert len(packages) == len(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    assert all(name.startswith("janus_") for name in packages)


def test_the_wheel_holds_recipes_and_their_weights(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in (ROOT / "recipes").rglob("*"):
        if path.is_file():
            assert f"janus_core/recipes/{path.relative_to(ROOT / 'recipes').as_posix()}" in names


def test_the_wheel_holds_the_templates_of_new_plugins(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    templates = [path.relative_to(ROOT).as_posix() for path in (ROOT / "janus_core" / "scaffold").rglob("*.template")]
    assert len(templates) > 30
    assert set(templates) <= names


def test_an_installed_wheel_works_outside_the_repository(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(target),
        str(wheel),
    ]
    subprocess.run(command, check=True)
    environment = os.environ | {"PYTHONPATH": str(target)}

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "janus_core", *arguments]
        return subprocess.run(command, env=environment, cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    assert str(target) in run("recipe", "list")
    assert "no mistakes" in run("recipe", "check", "quickstart")
    plugins = {item["plugin"] for item in json.loads(run("plugins", "list", "--json"))["components"]}
    assert len(plugins) == len(PROJECT["project"]["entry-points"]["janus.plugins"])


def test_every_plugin_folder_is_an_entry_point_and_in_the_wheel() -> None:
    folders = {
        path.name for path in (ROOT / "plugins").iterdir() if path.is_dir() and not path.name.startswith(("_", "."))
    }
    points = PROJECT["project"]["entry-points"]["janus.plugins"]
    assert set(points) == folders | {"bench"}
    assert all(module == f"janus_{name}.plugin" for name, module in points.items())
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {f"plugins/{name}/janus_{name}" for name in folders} <= set(packages)


def test_generic_folders_are_no_packages() -> None:
    for name in ("plugins", "registry", "benchmarks", "tests"):
        assert not (ROOT / name / "__init__.py").exists()


def test_no_requirement_names_a_host() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert len(pins) > 50
    assert all("==" in line and "://" not in line and not line.startswith("-") for line in pins)
    required = json.dumps([PROJECT["project"]["dependencies"], PROJECT["project"]["optional-dependencies"]])
    assert "://" not in required


def test_shipped_weights_are_small() -> None:
    weights = list((ROOT / "recipes" / "quickstart" / "weights").glob("*.safetensors"))
    assert len(weights) == 2
    assert all(path.stat().st_size <= 4_000_000 for path in weights)
    checkpoint = ROOT / "recipes" / "quickstart" / "checkpoint"
    assert sum(path.stat().st_size for path in checkpoint.iterdir()) <= 8_000_000
