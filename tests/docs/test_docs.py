"""Every block of the README and the docs does what it shows: commands run, recipes check, Python executes."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from PIL import Image

from janus_bench.study.file import Study
from janus_core.cli import main
from janus_core.config.check import check_recipe
from janus_core.config.choose import choose, choose_losses
from janus_core.config.load import load, validate
from janus_core.config.recipe import ComponentChoice, PretrainRecipe, Recipe

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = ("janus_checkpoints.md", "your_encoder.md", "real_pieces.md")
"""Pages that are followed as a whole: by tests/janus_checkpoints on a tiny checkpoint, by tests/scaffold, and by
tests/recipes/test_real_pieces.py where the packages are installed."""
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if page.name not in ELSEWHERE]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = [(page, kind, text) for page in PAGES for kind, text in BLOCK.findall(page.read_text(encoding="utf-8"))]
COMMANDS = [(page, line) for page, kind, text in BLOCKS if kind == "bash" for line in text.splitlines() if line.strip()]

SHORTER = {
    "demo": ["--scenes", "2", "--no-progress", *(f"--set=stages.{i}.steps=1" for i in range(4))],
    "train quickstart": ["--no-progress", *(f"--set=stages.{i}.steps=1" for i in range(4))],
    "bench run": ["--limit", "2", "--no-progress"],
    "pretrain": ["--set", "steps=1", "--set", "validation_limit=8", "--no-progress"],
    "study run": ["--set=seeds=[0]", "--set=limit=2", "--set=exclude=[{row: both}]"],
    "study run quickstart_ablation": [
        "--set=match=[]",
        "--set=exclude=[{row: [A, D, E]}]",
        "--set=set={stages.language.steps: 1, stages.unify.steps: 1, stages.instruct.steps: 1, samples: {}}",
    ],
}
"""What the test adds to commands that take minutes."""


def label(item: tuple[Path, str]) -> str:
    return f"{item[0].stem}: {item[1][:60]}"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the commands of the docs name, in which they run one after another."""
    folder = tmp_path_factory.mktemp("desk")
    Image.new("RGB", (64, 64), "white").save(folder / "picture.png")
    shutil.copytree(ROOT / "tests/fixtures/evaluation/pope/answers_official", folder / "answers")
    shutil.copytree(ROOT / "tests/fixtures/evaluation/pope/coco", folder / "coco")
    for place, colour in (("train/red", "red"), ("train/blue", "blue"), ("test/red", "darkred"), ("test/blue", "navy")):
        (folder / "pictures" / place).mkdir(parents=True)
        Image.new("RGB", (64, 64), colour).save(folder / "pictures" / place / "a.png")
    (folder / "plugins.toml").touch()
    for _, kind, text in BLOCKS:
        if kind == "yaml" and ("stages:" in text or "\nkind:" in text):
            name = yaml.safe_load(text)["name"]
            (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        if kind == "yaml" and "axes:" in text:
            (folder / "study.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.silent_failure(19)
def test_there_is_something_to_check() -> None:
    assert len(PAGES) >= 4
    assert len(COMMANDS) >= 12
    assert {kind for _, kind, _ in BLOCKS} <= {"bash", "yaml", "python", "toml", "text"}


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=[label(item) for item in COMMANDS])
@pytest.mark.silent_failure(23)
def test_command(page: Path, line: str, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)
    monkeypatch.setenv("JANUS_PLUGINS_FILE", str(desk / "plugins.toml"))  # not the user's own
    words = shlex.split(line, comments=True)
    words[0] = words[0].removeprefix(".venv/bin/")
    if words[0] == "janus":
        arguments = words[1:]
        for start, added in SHORTER.items():
            if " ".join(arguments).startswith(start):
                arguments += added
        assert main(arguments) == 0
    elif words[0] == "make":
        subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, check=True, capture_output=True)
    elif words[0].startswith("python"):
        assert (ROOT / words[1]).is_file()
    elif words[:2] == ["pip", "install"]:
        assert words[2] == "." or (ROOT / words[2]).is_dir()
    elif words[0] == "git":
        assert words[1] == "clone"
    else:
        assert (ROOT / ".venv" / "bin" / words[0]).is_file() or words[0] in ("cd", "pre-commit")


@pytest.mark.parametrize("text", [text for _, kind, text in BLOCKS if kind == "yaml"])
def test_yaml(text: str, tmp_path: Path) -> None:
    values = yaml.safe_load(text)
    if "extends" in values:
        (tmp_path / "r.yaml").write_text(text, encoding="utf-8")
        check_recipe(load(Recipe, tmp_path / "r.yaml"), tmp_path, files=False)
        return
    if "stages" in values:
        assert validate(Recipe, values, "docs").stages
        return
    if "axes" in values:
        assert validate(Study, values, "docs").axes
        return
    if "kind" in values:
        recipe = validate(PretrainRecipe, values, "docs")
        assert choose_losses(choose(recipe.kind, recipe.part, "part"), recipe.losses, "losses")
        return
    found = [*values.get("sources", {}).values(), *values.get("model", {}).get("encoders", {}).values()]
    assert [ComponentChoice.model_validate(item) for item in found]


@pytest.mark.parametrize("text", [text for _, kind, text in BLOCKS if kind == "python"])
def test_python(text: str, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)
    space: dict[str, object] = {"__name__": "docs"}
    exec(compile(text, "docs", "exec"), space)
    assert len(space) > 2


@pytest.mark.parametrize("text", [text for _, kind, text in BLOCKS if kind == "toml"])
def test_toml(text: str) -> None:
    assert tomllib.loads(text)


def test_the_readme_shows_the_table_of_the_shipped_checkpoint() -> None:
    table = (ROOT / "recipes" / "quickstart" / "checkpoint" / "table.txt").read_text(encoding="utf-8")
    assert f"```text\n{table}```" in (ROOT / "README.md").read_text(encoding="utf-8")
