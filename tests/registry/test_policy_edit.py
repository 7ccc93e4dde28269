"""The policy file is edited in place: what was asked changes, all else stays, and nothing is lost when it cannot be."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from registry_tests_throwaway import GOOD

from janus_registry.declared import declared_names, plugins_named
from janus_registry.discovery import Discovered, discover
from janus_registry.errors import PolicyError, UnknownComponent
from janus_registry.policy import Policy, environment_policy
from janus_registry.policy_edit import disable, enable
from janus_registry.toml_list import with_item, without

NOTHING = Policy()
LAYOUTS = [
    '[plugins]\nallow = ["a", "b", "c"]\n',
    "plugins.allow = ['a','b' , \"c\"] # [\"d\"]",
    '# allow = ["z"]\n[plugins]\nallow = [\n  # first\n  "a", # why a\n  "b",\n  "c" # last ]\n]\n# end\n',
    '[plugins]\r\nallow = [\r\n  "a",\r\n  "b",\r\n  "c",\r\n]\r\n',
    'plugins = { "allow" = ["a", "b", "c",], deny = ["allow"] }',
    '[plugins]\nallow = [\n  "a"\n, "b"\n, "c"\n]',
    '[plugins]\nallow=["a","b",\n "c", ]',
    '[plugins]\ndeny = ["]", "[", "allow = [1]"]\nallow = [ "a" , "b" , "c" ]  ',
]


@pytest.mark.parametrize("text", LAYOUTS)
def test_items_go_and_come_in_any_layout(text: str) -> None:
    def listed(written: str) -> list[str]:
        return list(tomllib.loads(written)["plugins"]["allow"])

    comments = [line[line.index("#") :] for line in text.splitlines() if "#" in line]
    for gone in itertools.chain.from_iterable(itertools.combinations("abc", n) for n in range(4)):
        cut = without(text, "allow", gone.__contains__)
        assert listed(cut) == [item for item in "abc" if item not in gone]
        added = with_item(cut, "allow", 'x"\\')
        assert added is not None
        assert listed(added) == [*listed(cut), 'x"\\']
        assert tomllib.loads(added)["plugins"].get("deny") == tomllib.loads(text)["plugins"].get("deny")
        assert all(comment in added for comment in comments)


@pytest.fixture
def plugins(shelf: Any) -> list[Discovered]:
    """``one`` and ``two`` of toy-pair, ``three`` of toy-odd, whose import fails and which declares two widgets."""
    shelf.add("toy-pair", {"one": GOOD, "two": GOOD})
    body = "".join(f"    yield Widget(name={name!r})\n" for name in ("left", "right"))
    shelf.add("toy-odd", {"three": f"raise RuntimeError\n@hookimpl\ndef toy_widgets():\n{body}"})
    return discover("toy.plugins", shelf.entry_points())


def only(plugins: list[Discovered], *names: str) -> list[Discovered]:
    return [plugin for plugin in plugins if plugin.plugin in names]


def test_names_of_plugins_are_found_without_running_them(plugins: list[Discovered]) -> None:
    def named(name: str) -> tuple[str, list[str]]:
        identifier, found = plugins_named(name, plugins, {"Widget"})
        return identifier, [plugin.plugin for plugin in found]

    assert declared_names("toy_odd_three", {"Widget"}) == ["left", "right"]
    assert named("one") == ("one", ["one"])
    assert named("Toy.Pair") == ("Toy.Pair", ["one", "two"])
    assert named("toy_pair:ONE") == ("toy_pair:ONE", ["one"])
    assert named("right") == ("three", ["three"])
    assert named("toy-odd:three/right") == ("toy-odd:three", ["three"])
    for wrong, near in (("onne", "'one'"), ("rigth", "'right'"), ("three/rigth", "'three/right'"), ("one/right", "")):
        with pytest.raises(UnknownComponent, match="named") as caught:
            named(wrong)
        assert near in str(caught.value)
        assert "one, three, two" in str(caught.value.remedy)


def test_a_component_of_two_plugins_is_refused(shelf: Any) -> None:
    source = "@hookimpl\ndef toy_widgets(): yield Widget(name='same')"
    shelf.add("toy-a", {"a": source})
    shelf.add("toy-b", {"b": source})
    with pytest.raises(UnknownComponent, match="several plugins: a, b"):
        plugins_named("same", discover("toy.plugins", shelf.entry_points()), {"Widget"})


def test_disable_and_enable_undo_each_other(plugins: list[Discovered], tmp_path: Path) -> None:
    file = tmp_path / "new" / "plugins.toml"
    one = only(plugins, "one")
    assert enable(file, "one", one, plugins) == []
    assert not file.parent.exists()
    assert [str(change) for change in disable(file, "one", one, NOTHING)] == ["deny + 'one'"]
    assert tomllib.loads(file.read_text()) == {"plugins": {"deny": ["one"]}}
    assert disable(file, "toy-pair:one", one, NOTHING) == []
    assert [str(change) for change in enable(file, "toy_pair:one", one, plugins)] == ["deny - 'one'"]
    assert tomllib.loads(file.read_text()) == {"plugins": {"deny": []}}


def test_an_allow_list_is_added_to(plugins: list[Discovered], tmp_path: Path) -> None:
    file = tmp_path / "plugins.toml"
    text = '# mine\n[plugins]  # lists\nallow = [\n    "toy-odd",  # trusted\n]\n'
    file.write_text(text)
    assert disable(file, "one", only(plugins, "one"), NOTHING) == []  # not in the allow-list: out already
    assert file.read_text() == text
    enable(file, "one", only(plugins, "one"), plugins)
    assert file.read_text() == text.replace("trusted\n", 'trusted\n    "one",\n')
    disable(file, "three", only(plugins, "three"), NOTHING)
    assert tomllib.loads(file.read_text())["plugins"] == {"allow": ["toy-odd", "one"], "deny": ["three"]}
    assert "# mine\n[plugins]  # lists\n" in file.read_text()


def test_where_the_environment_allows_what_the_file_does_not_a_denial_is_written(
    plugins: list[Discovered], tmp_path: Path
) -> None:
    file = tmp_path / "plugins.toml"
    file.write_text("[plugins]\nallow = []\n")
    changes = disable(file, "one", only(plugins, "one"), environment_policy("TOY", {"TOY_PLUGINS": "one"}))
    assert [str(change) for change in changes] == ["deny + 'one'"]


def test_a_denied_distribution_keeps_out_its_other_plugins(plugins: list[Discovered], tmp_path: Path) -> None:
    file = tmp_path / "plugins.toml"
    file.write_text('[plugins]\ndeny = ["Toy_Pair", "gone"]\n')
    enable(file, "one", only(plugins, "one"), plugins)
    assert tomllib.loads(file.read_text())["plugins"] == {"deny": ["gone", "toy-pair:two"]}
    enable(file, "gone", [], plugins)  # denied, and no longer installed
    assert tomllib.loads(file.read_text())["plugins"] == {"deny": ["toy-pair:two"]}


@pytest.mark.parametrize("text", ["[plugins", "[other]\nx = 1", "[plugins]\nallow = 3", "\ufeff[plugins]"])
def test_a_file_that_cannot_be_read_is_left_alone(plugins: list[Discovered], tmp_path: Path, text: str) -> None:
    file = tmp_path / "plugins.toml"
    file.write_text(text)
    for call in (
        lambda: disable(file, "one", only(plugins, "one"), NOTHING),
        lambda: enable(file, "one", only(plugins, "one"), plugins),
    ):
        with pytest.raises(PolicyError, match=r"plugins\.toml"):
            call()
    assert file.read_text() == text


def test_a_layout_that_cannot_be_edited_is_told_and_kept(plugins: list[Discovered], tmp_path: Path) -> None:
    file = tmp_path / "plugins.toml"
    file.write_text('plugins = { allow = ["one"] }\n')
    with pytest.raises(PolicyError) as caught:
        disable(file, "one", only(plugins, "one"), NOTHING)
    assert "deny = ['one']" in str(caught.value.remedy)
    assert file.read_text() == 'plugins = { allow = ["one"] }\n'


def test_a_read_only_file_is_told_and_kept(plugins: list[Discovered], tmp_path: Path) -> None:
    file = tmp_path / "plugins.toml"
    file.write_text("[plugins]\n")
    file.chmod(0o444)
    with pytest.raises(PolicyError, match="read-only") as caught:
        disable(file, "one", only(plugins, "one"), NOTHING)
    assert str(file) in caught.value.what
    assert "writable" in str(caught.value.remedy)
    assert file.read_text() == "[plugins]\n"
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(PolicyError, match="cannot be written"):
        disable(blocked / "plugins.toml", "one", only(plugins, "one"), NOTHING)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["file", "plugins.toml"]


def test_a_full_disk_loses_nothing(plugins: list[Discovered], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "plugins.toml"
    file.write_text("[plugins]\n")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PolicyError, match="No space left"):
        disable(file, "one", only(plugins, "one"), NOTHING)
    assert [path.name for path in tmp_path.glob("*plugins.toml*")] == ["plugins.toml"]
    assert file.read_text() == "[plugins]\n"


def test_a_link_stays_a_link_and_the_mode_is_kept(plugins: list[Discovered], tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles.toml", tmp_path / "plugins.toml"
    real.write_text("[plugins]\n")
    real.chmod(0o640)
    link.symlink_to(real)
    disable(link, "one", only(plugins, "one"), NOTHING)
    assert link.is_symlink()
    assert "one" in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o640


def test_edits_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    file = tmp_path / "plugins.toml"
    file.write_text("# mine\n")
    code = """
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from janus_registry.discovery import Discovered
from janus_registry.policy import Policy
from janus_registry.policy_edit import disable
for number in range(10):
    name = f"{sys.argv[2]}-{number}"
    disable(Path(sys.argv[1]), name, [Discovered(name, "d", "1", EntryPoint(name, "m", "g"))], Policy())
"""
    running = [subprocess.Popen([sys.executable, "-c", code, str(file), name]) for name in "abc"]
    assert [process.wait(timeout=120) for process in running] == [0, 0, 0]
    denied = tomllib.loads(file.read_text())["plugins"]["deny"]
    assert sorted(denied) == sorted(f"{name}-{number}" for name in "abc" for number in range(10))
    assert file.read_text().startswith("# mine\n")
