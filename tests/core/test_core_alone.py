"""The core knows no plugin, imports no torch where none is needed, and runs without the plugins' libraries."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import janus_core

CORE = Path(janus_core.__file__).parent
ROOT = CORE.parent
PLUGIN_LIBRARIES = {"torchvision", "timm", "open_clip", "taming", "transformers", "diffusers", "emoji", "resvg_py"}


def imports(path: Path, *, everywhere: bool) -> set[str]:
    """Top-level names that a file imports: at its top level, or anywhere (type-checking blocks are left out)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            if isinstance(child, ast.Import):
                found.update(alias.name.partition(".")[0] for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.module and not child.level:
                found.add(child.module.partition(".")[0])
            if everywhere or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                visit(child)

    visit(tree)
    return found


def plugin_packages() -> set[str]:
    folders = [*ROOT.glob("plugins/*/janus_*"), *ROOT.glob("benchmarks/janus_*")]
    return {folder.name for folder in folders if folder.is_dir()}


def test_the_core_imports_no_plugin() -> None:
    files, packages = sorted(CORE.rglob("*.py")), plugin_packages()
    assert len(files) >= 40
    assert len(packages) >= 14
    assert {"janus_siglip", "janus_vqgan", "janus_bench", "janus_conv_vq"} <= packages
    for path in files:
        assert not imports(path, everywhere=True) & (packages | PLUGIN_LIBRARIES), path


@pytest.mark.silent_failure(2)
def test_the_core_names_no_plugin_in_its_code() -> None:
    """Nothing outside a plugin may ask which plugin it is (rows 2 and 4)."""
    names = {"siglip", "eva_clip", "vqgan", "llamagen_vq", "movqgan", "patch_vq", "tokenizer_as_encoder", "resampler"}
    for path in sorted(CORE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare | ast.Match):
                texts = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant)}
                assert not texts & names, f"{path}:{node.lineno}"


def run(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JANUS_")} | {"OMP_NUM_THREADS": "1"} | env
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=300, check=False
    )


def test_reading_and_checking_a_recipe_imports_no_torch(tmp_path: Path) -> None:
    """Design, rule 7: importing the core, checking and showing recipes, listing plugins and help."""
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        "name: r\nmodel: {language_model: {type: llama, preset: tiny}, encoders: {image: {type: siglip, preset: tiny}},"
        " adapters: {image: mlp}}\nsources: {a: {type: openmoji_scenes, options: {task: understanding}}}\n"
        "stages: [{name: one, train: [language_model], steps: 1, batch_size: 1, mixture: {understanding: 1},"
        " data: {understanding: [a]}, learning_rate: 0.001}]\n",
        encoding="utf-8",
    )
    code = f"""
import sys
import janus_core, janus_core.config.recipe, janus_core.config.check, janus_core.config.load
import janus_core.interfaces, janus_core.hookspecs, janus_core.plugins, janus_core.data.mixture
from janus_core.cli import main
assert main(["recipe", "check", {str(recipe)!r}]) == 0
assert main(["recipe", "show", {str(recipe)!r}]) == 0
assert main(["recipe", "schema"]) == 0
assert main(["plugins", "list", "--json"]) == 0
assert main(["--help"]) == 0
for command in ("train", "pretrain", "answer", "draw", "recipe", "plugins", "doctor", "bench", "demo"):
    assert main([command, "--help"]) == 0, command
assert main(["train", "nowhere"]) == 2
heavy = {{"torch", "torchvision", "lightning", "open_clip", "timm", "taming", "transformers"}} & set(sys.modules)
assert not heavy, heavy
print("no torch")
"""
    done = run(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("no torch\n")


@pytest.mark.slow
@pytest.mark.silent_failure(26)
def test_the_core_runs_without_the_libraries_of_plugins() -> None:
    """Row 26: the runner and the inference load, and a model without these plugins is built and trained."""
    code = f"""
import sys
from importlib import metadata
blocked = {sorted(PLUGIN_LIBRARIES - {"transformers"})!r}
for name in blocked:
    sys.modules[name] = None
former, gone = metadata.Distribution.from_name, {{"torchvision", "timm", "open-clip-torch", "taming-transformers"}}
def from_name(name):  # torchmetrics, which lightning imports, imports torchvision wherever it is installed
    if name.lower().replace("_", "-") in gone:
        raise metadata.PackageNotFoundError(name)
    return former(name)
metadata.Distribution.from_name = from_name
import janus_core.training.runner, janus_core.training.pretrain, janus_core.inference.session
import janus_core.checkpoints.own, janus_core.cli.train, janus_core.cli.draw, janus_core.cli.answer
from pathlib import Path
from janus_core.config.recipe import Recipe
from janus_core.errors import UserError
from janus_core.model.build import build_model
part = lambda name: {{"type": name, "preset": "tiny"}}
model = {{"language_model": part("llama"), "generation_tokenizer": part("patch_vq"), "generation_adapter": "mlp",
         "generation_head": "categorical", "image_size": 32}}
stage = {{"name": "a", "train": ["*"], "steps": 1, "batch_size": 1, "mixture": {{"text": 1}}, "data": {{"text": ["t"]}},
         "learning_rate": 1}}
recipe = Recipe.model_validate({{"name": "x", "model": model, "stages": [stage]}})
built = build_model(recipe.model, recipe.text, seed=0, folder=Path("."))
assert built.model.draws
model |= {{"encoders": {{"image": part("siglip")}}, "adapters": {{"image": "mlp"}}}}
recipe = Recipe.model_validate({{"name": "x", "model": model, "stages": [stage]}})
try:
    build_model(recipe.model, recipe.text, seed=0, folder=Path("."))
except UserError as error:
    print("told:", error)
loaded = [name for name in blocked if sys.modules.get(name) is not None]
assert not loaded, loaded
"""
    done = run(code)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "told:" in done.stdout
    assert "open-clip-torch" in done.stdout


def test_without_plugins_the_program_runs_and_names_what_is_missing(tmp_path: Path) -> None:
    code = f"""
from janus_core.cli import main
assert main(["plugins", "list"]) == 0
assert main(["recipe", "list"]) == 0
open({str(tmp_path / "r.yaml")!r}, "w").write(
    "name: r\\nmodel: {{language_model: llama}}\\nstages: [{{name: a, train: ['*'], steps: 1, batch_size: 1, "
    "mixture: {{text: 1}}, data: {{text: [t]}}, learning_rate: 1}}]\\n"
)
assert main(["recipe", "check", {str(tmp_path / "r.yaml")!r}]) == 2
"""
    done = run(code, JANUS_PLUGINS="")
    assert done.returncode == 0, done.stderr
    assert "llama" in done.stderr
    assert "Traceback" not in done.stderr
