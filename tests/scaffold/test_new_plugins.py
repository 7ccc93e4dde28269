"""What ``janus plugins new`` writes: clean code that installs, passes the conformance kit at once, trains and works."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from janus_core.cli import main
from janus_core.cli.plugins_new import KINDS as CHOICES
from janus_core.conformance.check import checks
from janus_core.scaffold.code import literal, sorted_imports
from janus_core.scaffold.kinds import KINDS

ROOT = Path(__file__).resolve().parents[2]
HOOK_KINDS = {
    "encoder": "understanding_encoder",
    "tokenizer": "generation_tokenizer",
    "adapter": "adapter",
    "head": "generation_head",
    "language-model": "language_model",
}
SLOW_KINDS = tuple(kind for kind in HOOK_KINDS if kind != "adapter")
SUITE = re.compile(r"(\d+) checks: (\d+) passed, (\d+) failed, (\d+) exempt, (\d+) not run")
WRAPS = (
    "timm:vit_tiny_patch16_224",
    "timm:vit_base_patch16_siglip_224.webli",
    "timm:vit_small_patch14_reg4_dinov2",
    "timm:convnext_tiny",
    "timm:resnet18",
    "timm:swin_tiny_patch4_window7_224",
    "open_clip:ViT-B-32",
    "open_clip:RN50:yfcc15m",
    "open_clip:ViT-B-16-SigLIP",
    "transformers:CLIPVisionModel",
    "transformers:SiglipVisionModel",
    "transformers:Dinov2Model",
    "transformers:dinov2_with_registers",
    "transformers:ViTModel",
    "transformers:ConvNextModel",
    "transformers:SwinModel",
)


def use(kind: str, folder: str) -> list[list[str]]:
    """Commands that train a new plugin's recipe for two steps and try the model."""
    draws = kind in ("tokenizer", "head")
    source = "drawings" if draws else "questions"
    sets = ["stages.unify.steps=2", "stages.unify.batch_size=2", f"sources.{source}.options.length=8", "samples={}"]
    train = ["train", f"{folder}/recipe.yaml", "--out", "run", "--no-progress", *(f"--set={item}" for item in sets)]
    draw = ["draw", "a cat at the top left on a blue background", "--model", "run", "--out", "drawn.png"]
    answer = ["answer", "scene.png", "how many objects are there?", "--model", "run"]
    return [train, draw if draws else answer]


def counted(printed: str) -> dict[str, int]:
    """The counts that `janus plugins check` printed, and how many checks it listed."""
    found = SUITE.search(printed)
    assert found is not None, printed[-2000:]
    names = ("all", "passed", "failed", "exempt", "not run")
    listed = re.findall(r"^  (?:ok|FAILED|failed|exempt|not run) ", printed, re.MULTILINE)
    return dict(zip(names, map(int, found.groups()), strict=True)) | {"listed": len(listed)}


def write(desk: Any, name: str, kind: str, *more: str) -> None:
    assert main(["plugins", "new", name, "--kind", kind, "--out", str(desk.folder / f"janus-{name}"), *more]) == 0


def test_the_kinds_of_the_command_are_those_that_are_written() -> None:
    assert tuple(KINDS) == CHOICES == tuple(HOOK_KINDS)


@pytest.mark.parametrize("kind", ["adapter", *(pytest.param(k, marks=pytest.mark.slow) for k in SLOW_KINDS)])
def test_a_new_plugin_passes_trains_and_works(kind: str, desk: Any) -> None:
    from PIL import Image

    write(desk, "brand-new", kind)
    desk.install("janus-brand-new")
    Image.new("RGB", (64, 64), "white").save(desk.folder / "scene.png")
    told = desk.janus([["plugins", "check", "janus-brand-new"], *use(kind, "janus-brand-new")])
    counts = counted(told)
    assert counts["failed"] == 0
    assert counts["all"] == counts["listed"] == len(checks(HOOK_KINDS[kind]))
    assert counts["passed"] >= counts["all"] - 4  # slow, cuda, and what nothing is declared for
    assert (desk.folder / "run" / "run.json").is_file()


@pytest.mark.slow
def test_the_authors_line_gives_an_item_for_each_check(desk: Any) -> None:
    write(desk, "brand-new", "adapter")
    desk.install("janus-brand-new")
    done = desk.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "janus-brand-new")
    assert done.returncode == 0, done.stdout
    ran = sum(int(number) for number in re.findall(r"(\d+) (?:passed|skipped|xfailed)", done.stdout.splitlines()[-1]))
    assert ran == len(checks("adapter"))
    assert "failed" not in done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_a_new_tokenizer_is_trained_alone(desk: Any) -> None:
    write(desk, "brand-new", "tokenizer")
    desk.install("janus-brand-new")
    desk.janus([["pretrain", "tokenizer", "janus-brand-new/pretrain.yaml", "--out", "alone", "--no-progress",
                 "--set", "steps=30", "--set", "validation_limit=16"]])  # fmt: skip
    assert (desk.folder / "alone" / "weights.safetensors").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("wrap", WRAPS)
def test_a_wrapped_model_passes_and_trains(wrap: str, desk: Any) -> None:
    from PIL import Image

    write(desk, "brand-new", "encoder", "--wrap", wrap)
    desk.install("janus-brand-new")
    Image.new("RGB", (64, 64), "white").save(desk.folder / "scene.png")
    counts = counted(desk.janus([["plugins", "check", "janus-brand-new"], *use("encoder", "janus-brand-new")]))
    assert counts["failed"] == 0
    assert counts["all"] == counts["listed"] == len(checks("understanding_encoder"))
    assert counts["passed"] >= counts["all"] - 4  # slow, cuda, and what nothing is declared for


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One plugin of each kind, names that sort before and after janus_core, and one that wraps."""
    folder = tmp_path_factory.mktemp("written")
    for kind in CHOICES:
        for name in (f"aa-{kind}", f"zz-{kind}-with-a-very-long-name"):
            assert main(["plugins", "new", name, "--kind", kind, "--out", str(folder / name)]) == 0
    wrap = ["--wrap", "transformers:ConvNextModel"]
    assert main(["plugins", "new", "aa-wrap", "--kind", "encoder", "--out", str(folder / "aa-wrap"), *wrap]) == 0
    return folder


def test_what_is_written_passes_our_own_linter_and_formatter(written: Path) -> None:
    ruff = [sys.executable, "-m", "ruff"]
    configured = ["--no-cache", "--config", str(ROOT / "pyproject.toml"), str(written)]
    assert len(list(written.rglob("*.py"))) > 50
    for action in (["check"], ["format", "--check"]):
        done = subprocess.run([*ruff, *action, *configured], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_what_is_written_is_typed(written: Path, tmp_path: Path) -> None:
    for folder in sorted(written.glob("aa-*")):
        package = next(path.name for path in folder.glob("janus_*"))
        command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), "-p", package]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_author_and_licence_stand_in_the_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "it"
    given = ["--author", 'Ada "L" <ada@example.org>', "--licence", "mit", "--out", str(out)]
    assert main(["plugins", "new", "janus-mine", "--kind", "head", *given]) == 0
    project = tomllib.loads((out / "pyproject.toml").read_text())["project"]
    assert project["authors"] == [{"name": 'Ada "L"', "email": "ada@example.org"}]
    assert (project["name"], project["license"]) == ("janus-mine", "MIT")
    assert project["dependencies"][0].startswith("janus-umm>=")
    assert "Copyright (c)" in (out / "LICENSE").read_text() and 'Ada "L"' in (out / "LICENSE").read_text()
    assert 'licence="MIT"' in (out / "janus_mine" / "plugin.py").read_text()
    assert "${{ matrix.python }}" in (out / ".github/workflows/test.yml").read_text()
    capsys.readouterr()
    assert main(["plugins", "new", "other", "--kind", "head", "--licence", "ISC", "--out", str(tmp_path / "b")]) == 0
    assert "its licence is ISC: put the text into" in capsys.readouterr().out
    assert not (tmp_path / "b" / "LICENSE").exists()


def test_literals_are_python_and_keep_their_values() -> None:
    value = {"a": [1, 2.5, True, None], "text": 'quo"ted ü', "one": (1,), "long": ["word"] * 40, "none": {}}
    for indent in (0, 8, 100):
        assert eval(literal(value, indent)) == value


def test_imports_of_the_house_are_put_in_order() -> None:
    lines = "from janus_core.a import x\nfrom janus_aa.b import y\n"
    assert sorted_imports(f"import os\n\n{lines}\nx()\n") == (
        "import os\n\nfrom janus_aa.b import y\nfrom janus_core.a import x\n\nx()\n"
    )
