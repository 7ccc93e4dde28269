"""What made a run or a checkpoint is written into it, and compared with what is there when it is used again."""

from __future__ import annotations

import importlib
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from janus_core import plugins
from janus_core.checkpoints.own import load_checkpoint, read_facts, save_checkpoint
from janus_core.cli import main
from janus_core.config.catalog import recipes_folder
from janus_core.config.provenance import check_provenance
from janus_core.errors import UserError
from janus_registry import code_hash
from janus_registry.errors import OtherCode

PLUGIN = """
from janus_core.hookspecs import AdapterSpec, hookimpl
JANUS_HOOK_API = (1, 0)
@hookimpl
def janus_adapters():
    yield AdapterSpec(name="bridge", summary="a linear map", factory="{package}.model:build",
                      options="{package}.model:Options")
"""
MODEL = """
from pydantic import BaseModel, ConfigDict
from torch import nn
from janus_core.interfaces import Features
class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
class Bridge(nn.Module):
    def __init__(self, in_width, out_width):
        super().__init__()
        self.map = nn.Linear(in_width, out_width)
    def num_tokens(self, n):
        return n
    def forward(self, features):
        return Features(self.map(features.tokens), features.mask, features.positions)
def build(options, context, *, in_width, out_width):
    return Bridge(in_width, out_width)
"""
ROLES = {
    "language_model": "llama/llama",
    "encoders.image": "siglip/siglip",
    "adapters.image": "bridges/bridge",
}


class Site:
    """A folder of installed distributions that can be changed, as between two sessions of a user."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, distribution: str, version: str = "1.0", *, editable: Path | None = None) -> None:
        """A distribution with the plugin ``bridges``; its package has its name."""
        package = distribution.replace("-", "_")
        info = self.folder / f"{package}-{version}.dist-info"
        (self.folder / package).mkdir(exist_ok=True)
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[janus.plugins]\nbridges = {package}.plugin\n")
        (info / "RECORD").write_text("".join(f"{package}/{name}.py,,\n" for name in ("__init__", "plugin", "model")))
        if editable is not None:
            about = {"url": editable.as_uri(), "dir_info": {"editable": True}}
            (info / "direct_url.json").write_text(json.dumps(about))
        for name, text in (("__init__", ""), ("plugin", PLUGIN.format(package=package)), ("model", MODEL)):
            (self.folder / package / f"{name}.py").write_text(text)
        self.restart()

    def uninstall(self, distribution: str, version: str = "1.0") -> None:
        info = self.folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        for file in info.iterdir():
            file.unlink()
        info.rmdir()
        self.restart()

    def edit(self, file: str, text: str = "# changed\n") -> None:
        with (self.folder / file).open("a") as opened:
            opened.write(text)
        self.restart()

    def restart(self) -> None:
        """Forget what a process remembers."""
        plugins.manager.cache_clear()
        code_hash._hash.cache_clear()
        code_hash._tree_hash.cache_clear()
        for name in [name for name in sys.modules if name.startswith("toy_")]:
            del sys.modules[name]
        importlib.invalidate_caches()


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    found = Site(tmp_path / "site")
    found.folder.mkdir()
    monkeypatch.syspath_prepend(found.folder)
    found.install("toy-bridge")
    yield found
    monkeypatch.undo()
    found.restart()


@pytest.fixture
def saved(tiny: ModuleType, toys: Site, tmp_path: Path) -> Path:
    values = recipe(tiny)
    save_checkpoint(tmp_path / "checkpoint", tiny.build(values), tiny.validated(values), {})
    return tmp_path / "checkpoint"


def recipe(tiny: ModuleType, adapter: str = "bridge", **more: Any) -> dict[str, Any]:
    values: dict[str, Any] = tiny.recipe("understanding", **more)
    values["model"]["adapters"]["image"] = adapter
    return values


def silently(call: Callable[[], object]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", OtherCode)
        call()


def told(call: Callable[[], object]) -> str:
    with pytest.warns(OtherCode) as caught:
        call()
    (warning,) = [item for item in caught if item.category is OtherCode]
    return str(warning.message)


def test_a_checkpoint_names_the_code_of_every_part_and_loads_silently(saved: Path) -> None:
    written = read_facts(saved)["provenance"]
    assert {role: item["component"] for role, item in written.items()} == ROLES
    assert {item["kind"] for item in written.values()} == {"language_model", "understanding_encoder", "adapter"}
    assert all(len(item["code_sha256"]) == 64 for item in written.values())
    assert written["adapters.image"]["distribution"] == "toy-bridge"
    assert written["adapters.image"]["version"] == "1.0"
    silently(lambda: load_checkpoint(saved))


@pytest.mark.parametrize("how", ["wheel", "editable"])
def test_changed_code_is_told(saved: Path, toys: Site, how: str) -> None:
    if how == "editable":
        toys.uninstall("toy-bridge")
        toys.install("toy-bridge", editable=toys.folder)
        silently(lambda: load_checkpoint(saved))
    toys.edit("toy_bridge/model.py")
    text = told(lambda: load_checkpoint(saved))
    assert "adapters.image (bridges/bridge): the code of toy-bridge 1.0 has changed" in text
    assert str(saved) in text
    assert "siglip" not in text
    back = {"wheel": "pip install --force-reinstall toy-bridge==1.0", "editable": f"files in {toys.folder}"}[how]
    assert back in text


def test_another_version_is_told(saved: Path, toys: Site) -> None:
    toys.uninstall("toy-bridge")
    toys.install("toy-bridge", "2.0")
    text = told(lambda: load_checkpoint(saved))
    assert "adapters.image (bridges/bridge): was toy-bridge 1.0, is toy-bridge 2.0" in text
    assert "pip install toy-bridge==1.0" in text


def test_another_distribution_is_refused_unless_it_is_named(saved: Path, toys: Site) -> None:
    toys.uninstall("toy-bridge")
    toys.install("toy-other", "3.0")
    with pytest.raises(UserError) as caught:
        load_checkpoint(saved)
    for text in ("adapters.image", "bridges/bridge of toy-bridge 1.0", "bridges/bridge of toy-other 3.0"):
        assert text in caught.value.what
    for text in ("pip install toy-bridge==1.0", "type: toy-other:bridges/bridge"):
        assert text in str(caught.value.remedy)
    written = (saved / "recipe.yaml").read_text()
    (saved / "recipe.yaml").write_text(written.replace("type: bridge", "type: toy-other:bridges/bridge"))
    assert "was toy-bridge 1.0, is toy-other 3.0" in told(lambda: load_checkpoint(saved))


def test_a_component_that_is_gone_is_named_with_its_distribution(saved: Path, toys: Site) -> None:
    toys.uninstall("toy-bridge")
    with pytest.raises(UserError, match="adapters.image was made by bridges/bridge of toy-bridge 1.0") as caught:
        load_checkpoint(saved)
    assert caught.value.remedy == "pip install toy-bridge==1.0"


def test_a_component_that_is_blocked_is_not_to_be_installed_again(
    saved: Path, toys: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JANUS_PLUGINS_DENY", "toy-bridge")
    toys.restart()
    with pytest.raises(UserError, match="JANUS_PLUGINS_DENY") as caught:
        load_checkpoint(saved)
    assert caught.value.remedy == "janus plugins why toy-bridge"


def test_what_an_old_version_wrote_is_compared_as_far_as_it_goes(saved: Path, toys: Site) -> None:
    facts = read_facts(saved)
    del facts["provenance"]["adapters.image"]["code_sha256"]
    del facts["provenance"]["encoders.image"]
    (saved / "janus.json").write_text(json.dumps(facts))
    toys.edit("toy_bridge/model.py")
    silently(lambda: load_checkpoint(saved))
    toys.uninstall("toy-bridge")
    toys.install("toy-bridge", "2.0")
    assert "toy-bridge==1.0" in told(lambda: load_checkpoint(saved))


def test_what_ships_with_the_program_is_not_compared(saved: Path, tiny: ModuleType) -> None:
    other = {"adapters.image": {"component": "bridges/bridge", "distribution": "toy-old", "version": "0"}}
    shipped = recipes_folder() / "quickstart" / "checkpoint"
    silently(lambda: check_provenance(other, tiny.validated(recipe(tiny)), shipped))


def test_a_part_that_the_recipe_names_otherwise_is_meant_to_be_another(
    saved: Path, toys: Site, tiny: ModuleType
) -> None:
    toys.edit("toy_bridge/model.py")
    theirs, ours = tiny.validated(recipe(tiny)), tiny.validated(recipe(tiny, "linear"))
    written = read_facts(saved)["provenance"]
    silently(lambda: check_provenance(written, ours, saved, theirs=theirs))
    assert "bridge" in told(lambda: check_provenance(written, theirs, saved, theirs=theirs))


def test_a_run_that_is_resumed_with_other_code_says_so_and_keeps_both(
    toys: Site, tiny: ModuleType, recorder: ModuleType, tmp_path: Path
) -> None:
    values, out = recipe(tiny, steps=3), tmp_path / "run"
    values["run"] |= {"checkpoint_every": 1}
    with recorder.recorded(kill_after=2), pytest.raises(recorder.Killed):
        tiny.train(values, out)
    before = json.loads((out / "run.json").read_text())["provenance"]
    assert before["sources.understanding"]["component"] == "openmoji_scenes/openmoji_scenes"
    (point,) = [json.loads(path.read_text()) for path in (out / "points").glob("*2.ckpt.json")]
    assert point["provenance"] == before
    toys.edit("toy_bridge/model.py")
    assert "adapters.image" in told(lambda: tiny.train(values, out, resume=True))
    record = json.loads((out / "run.json").read_text())
    assert record["earlier_provenance"] == [before]
    assert record["provenance"] != before
    assert read_facts(out / "checkpoint")["provenance"]["adapters.image"] == record["provenance"]["adapters.image"]
    silently(lambda: tiny.train(values, out, resume=True))
    toys.uninstall("toy-bridge")
    toys.install("toy-other")
    with pytest.raises(UserError, match="toy-other"):
        tiny.train(values, out, resume=True)


def test_commands_warn_in_one_message(saved: Path, toys: Site, capsys: pytest.CaptureFixture[str]) -> None:
    toys.edit("toy_bridge/model.py")
    assert main(["answer", "why?", "--model", str(saved), "--max-new-tokens", "1", "--device", "cpu"]) == 0
    shown = capsys.readouterr().err
    assert shown.startswith(f"janus answer: warning: {saved} was made with other code")
    assert "toy-bridge" in shown
    assert ".py:" not in shown
    silent = ["answer", "why?", "--max-new-tokens", "1", "--device", "cpu"]
    assert main(silent) == 0
    assert capsys.readouterr().err == ""
