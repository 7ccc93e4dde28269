"""``janus plugins enable``, ``disable`` and ``why``: they work where plugins do not, and say what mends it."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Janus = Callable[..., subprocess.CompletedProcess[str]]

PLUGIN = """\
from janus_core.hookspecs import AdapterSpec, CommandSpec, hookimpl
JANUS_HOOK_API: tuple[int, int] = (1, 0)
"""
GOOD = """
open(__file__ + ".imported", "w")
@hookimpl
def janus_adapters():
    yield AdapterSpec(name="toy", summary="a toy", factory="toy_model:build", options="toy_model:Options",
                      requires=("no-such-xyz>=2",))
@hookimpl
def janus_commands():
    yield CommandSpec(name="train", summary="not the built-in", factory="toy_model:Train")
"""


@pytest.fixture
def toys(shelf: Any) -> Any:
    """``good`` of toy-good; ``broken`` of toy-bad, which fails at import; ``future``, which fails at the gate."""
    shelf.add("toy-good", {"good": GOOD}, group="janus.plugins", preamble=PLUGIN)
    broken = GOOD.replace('"toy"', '"torn"') + "import no_such_library_xyz"
    shelf.add("toy-bad", {"broken": broken}, group="janus.plugins", preamble=PLUGIN)
    future = PLUGIN.replace("(1, 0)", "(1, 99)")
    shelf.add("toy-new", {"future": ""}, group="janus.plugins", preamble=future)
    return shelf


def policy(folder: Path) -> dict[str, list[str]]:
    text = (folder / "home/.config/janus/plugins.toml").read_text(encoding="utf-8")
    return dict(tomllib.loads(text)["plugins"])


def explained(run_janus: Janus, name: str, **environ: str) -> dict[str, Any]:
    done = run_janus("plugins", "why", name, "--json", **environ)
    assert done.returncode in (0, 1), done.stderr
    (facts,) = json.loads(done.stdout)
    assert done.returncode == int(bool(facts["mend"]))
    return dict(facts)


@pytest.mark.parametrize("name", ["broken", "toy-bad", "Toy_Bad:broken", "torn", "broken/torn", "toy-bad:broken/torn"])
def test_a_broken_plugin_is_disabled_and_enabled_and_never_run(
    toys: Any, run_janus: Janus, tmp_path: Path, name: str
) -> None:
    (toys.folder / "torch.py").write_text("raise ImportError('torch is broken')")
    done = run_janus("plugins", "disable", name)
    assert done.returncode == 0, done.stderr
    assert "disabled: broken (toy-bad 1.0)" in done.stdout
    assert str(tmp_path / "home/.config/janus/plugins.toml") in done.stdout
    assert len(policy(tmp_path)["deny"]) == 1
    assert ("torn" in name) == ("whole plugin" in done.stdout)
    assert "disabled already" in run_janus("plugins", "disable", name).stdout
    assert "enabled: broken" in run_janus("plugins", "enable", name).stdout
    assert policy(tmp_path) == {"deny": []}
    assert not list(toys.folder.glob("*.imported"))


def test_a_disabled_plugin_is_listed_as_blocked_and_not_run(toys: Any, run_janus: Janus) -> None:
    run_janus("plugins", "disable", "toy")
    facts = json.loads(run_janus("plugins", "list", "--json").stdout)
    assert {r["plugin"]: r["status"] for r in facts["plugins"]}["good"] == "blocked"
    assert not (toys.folder / "toy_good_good.py.imported").exists()
    run_janus("plugins", "enable", "toy-good")
    assert "good/toy" in run_janus("plugins", "list").stdout


def test_an_unknown_name_gets_the_nearest_one(toys: Any, run_janus: Janus, tmp_path: Path) -> None:
    for action in ("enable", "disable", "why"):
        done = run_janus("plugins", action, "brokn")
        assert done.returncode == 2
        assert "did you mean 'broken'" in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "home").exists()


def test_the_environment_is_stronger_and_that_is_said(toys: Any, run_janus: Janus) -> None:
    run_janus("plugins", "disable", "good")
    done = run_janus("plugins", "enable", "good", JANUS_PLUGINS="siglip", JANUS_PLUGINS_DENY="toy-good")
    assert done.returncode == 1
    assert "enabled: good" in done.stdout
    for text in ("JANUS_PLUGINS='siglip'", "unset JANUS_PLUGINS\n", "='toy-good'", "unset JANUS_PLUGINS_DENY\n"):
        assert text in done.stdout
    assert run_janus("plugins", "enable", "good", JANUS_PLUGINS="good").returncode == 0


def test_the_file_of_the_variable_is_made(toys: Any, run_janus: Janus, tmp_path: Path) -> None:
    file = tmp_path / "deep" / "mine.toml"
    assert run_janus("plugins", "disable", "good", JANUS_PLUGINS_FILE=str(file)).returncode == 0
    assert tomllib.loads(file.read_text())["plugins"] == {"deny": ["good"]}
    file.chmod(0o444)
    done = run_janus("plugins", "enable", "good", JANUS_PLUGINS_FILE=str(file))
    assert done.returncode == 2
    assert f"{file} cannot be written: it is read-only" in done.stderr


def test_why_a_plugin_is_loaded(toys: Any, run_janus: Janus, tmp_path: Path) -> None:
    facts = explained(run_janus, "good/toy")
    assert (facts["plugin"], facts["distribution"], facts["version"]) == ("good", "toy-good", "1.0")
    assert (facts["status"], facts["hook_api"]) == ("loaded", [1, 0])
    assert facts["location"] == str(toys.folder)
    assert facts["entry_point"] == "janus.plugins: good = toy_good_good"
    assert facts["module_file"] == str(toys.folder / "toy_good_good.py")
    assert facts["policy_file"] == str(tmp_path / "home/.config/janus/plugins.toml")
    adapter, command = facts["components"]
    assert adapter["missing"] == ["no-such-xyz>=2 (not installed)"]
    assert facts["mend"] == ["pip install 'no-such-xyz>=2'"]
    assert any("'train'" in text and "good/train" in text for text in facts["shadowing"])
    assert command["kind"] == "command"
    shown = run_janus("plugins", "why", "good").stdout
    for text in ("good: loaded", "toy-good 1.0", "allowed", "no-such-xyz>=2", "to mend it"):
        assert text in shown


def test_why_a_plugin_is_blocked(toys: Any, run_janus: Janus, tmp_path: Path) -> None:
    run_janus("plugins", "disable", "good")
    facts = explained(run_janus, "toy", JANUS_PLUGINS="siglip")  # by the name of a component that is not loaded
    assert facts["status"] == "blocked"
    file = tmp_path / "home/.config/janus/plugins.toml"
    assert facts["blocked_by"] == [
        f"denied as 'good' by deny in {file}",
        "not in the allow-list JANUS_PLUGINS='siglip'",
    ]
    assert facts["mend"] == ["janus plugins enable good", "unset JANUS_PLUGINS"]
    assert facts["declared_in_source"] == ["toy", "train"]


def test_why_a_plugin_failed(toys: Any, run_janus: Janus) -> None:
    facts = explained(run_janus, "broken")
    assert (facts["status"], facts["failed_at"]) == ("failed", "import")
    assert "no_such_library_xyz" in facts["reason"]
    assert facts["mend"][0] == "pip install --force-reinstall toy-bad==1.0"
    assert facts["mend"][-1].endswith("janus plugins disable broken")
    metadata = toys.folder / "toy_bad-1.0.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text() + "Requires-Dist: no-such-xyz\nRequires-Dist: gone; extra == 'all'\n")
    facts = explained(run_janus, "broken")
    assert facts["missing"] == ["no-such-xyz (not installed)"]
    assert facts["mend"][0] == "pip install no-such-xyz"
    facts = explained(run_janus, "toy-new")
    assert (facts["status"], facts["failed_at"]) == ("incompatible", "hook API")
    assert facts["mend"][0] == "pip install --upgrade janus-umm"


@pytest.mark.parametrize(
    ("source", "step"),
    [
        ("del JANUS_HOOK_API", "hook API"),
        ("@hookimpl\ndef janus_adapter(): return []", "hooks"),
        ("@hookimpl\ndef janus_adapters(): raise KeyError", "records"),
    ],
)
def test_why_names_the_step(shelf: Any, run_janus: Janus, source: str, step: str) -> None:
    shelf.add("toy-odd", {"odd": source}, group="janus.plugins", preamble=PLUGIN)
    assert explained(run_janus, "odd")["failed_at"] == step


def test_why_names_rivals_and_what_hides_what(toys: Any, run_janus: Janus, tmp_path: Path) -> None:
    toys.add("toy-rival", {"good": GOOD}, group="janus.plugins", preamble=PLUGIN)
    done = run_janus("plugins", "why", "good", "--json")
    facts = json.loads(done.stdout)
    assert [item["distribution"] for item in facts] == ["toy-good", "toy-rival"]
    assert all(item["contested"] for item in facts)
    assert facts[0]["id"] == "toy-good:good"
    assert facts[0]["components"][0]["also_of"] == ["toy-rival:good/toy"]
    assert facts[0]["components"][0]["written_as"] == "toy-good:good/toy"
    assert any("toy-rival:good/NAME" in text for text in facts[1]["mend"])
    (tmp_path / "toy_bad_broken.py").write_text(PLUGIN)  # the working folder comes first with python -m
    record = toys.folder / "toy_bad-1.0.dist-info" / "RECORD"
    record.write_text("toy_bad_broken.py,,\n")
    shadowed = explained(run_janus, "toy-bad")["shadowing"]
    assert any(str(tmp_path / "toy_bad_broken.py") in text and str(toys.folder) in text for text in shadowed)


def test_why_a_distribution_has_no_plugin(run_janus: Janus) -> None:
    done = run_janus("plugins", "why", "pluggy")
    assert done.returncode == 2
    assert "declares no plugin" in done.stderr
    assert '[project.entry-points."janus.plugins"]' in done.stderr
