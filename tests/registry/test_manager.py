"""The engine lists the good plugins and explains the bad ones, whatever the bad ones do."""

from __future__ import annotations

import ast
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest
from registry_tests_throwaway import BROKEN, GOOD

import janus_registry
from janus_registry.discovery import discover
from janus_registry.errors import (
    AmbiguousComponent,
    BrokenReference,
    MissingRequirements,
    PluginError,
    PolicyError,
    UnknownComponent,
    UnknownKind,
)
from janus_registry.requirements import import_factory, import_reference, missing_requirements


def widgets(*names: str, **more: Any) -> str:
    text = "".join(f", {key}={value!r}" for key, value in more.items())
    lines = "".join(f"    yield Widget({name!r}{text})\n" for name in names)
    return f"@hookimpl\ndef toy_widgets():\n{lines}"


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.silent_failure(22, 26)
def test_a_broken_plugin_is_explained_and_hurts_no_other(shelf: Any, name: str) -> None:
    source, status, says = BROKEN[name]
    shelf.add("toy-a", {"aaa": GOOD})
    shelf.add("toy-m", {name: source})
    shelf.add("toy-z", {"zzz": GOOD.replace("good", "fine")})
    manager = shelf.manager()
    assert [component.qualified for component in manager.components()] == ["aaa/good", "zzz/fine"]
    bad = manager.plugins[1]
    assert (bad.plugin, bad.distribution, bad.version, bad.status) == (name, "toy-m", "1.0", status)
    assert says in bad.reason
    assert "\n" not in bad.reason
    assert "Traceback" in bad.traceback
    assert bad.components == ()


def test_all_broken_at_once(shelf: Any) -> None:
    for name, (source, _, _) in BROKEN.items():
        shelf.add(f"toy-{name}", {name: source})
    shelf.add("toy-good", {"good": GOOD})
    manager = shelf.manager()
    assert [component.qualified for component in manager.components()] == ["good/good"]
    assert sum(record.status != "loaded" for record in manager.plugins) == len(BROKEN)


def test_a_keyboard_interrupt_is_the_users(shelf: Any) -> None:
    shelf.add("toy-a", {"a": "raise KeyboardInterrupt"})
    manager = shelf.manager()
    with pytest.raises(KeyboardInterrupt):
        manager.load()
    with pytest.raises(KeyboardInterrupt):  # not half loaded, not locked
        manager.load()


def test_what_a_plugin_prints_goes_to_stderr(shelf: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shelf.add(
        "toy-a", {"a": "print('import')\n@hookimpl\ndef toy_widgets():\n    print('hook')\n    yield Widget('x')"}
    )
    assert len(shelf.manager().components()) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.split() == ["import", "hook"]


def test_strict_mode_raises_and_keeps_the_cause(shelf: Any) -> None:
    shelf.add("toy-a", {"a": BROKEN["exits"][0]})
    with pytest.raises(PluginError, match="toy-a 1.0 is failed") as caught:
        shelf.manager(TOY_STRICT_PLUGINS="1").load()
    assert isinstance(caught.value.__cause__, SystemExit)


def test_loading_is_done_once_by_many_threads(shelf: Any) -> None:
    shelf.add("toy-a", {"a": GOOD})
    manager = shelf.manager()
    seen: list[object] = []
    threads = [threading.Thread(target=lambda: seen.append(manager.load())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert all(records is seen[0] for records in seen)


def test_a_plugin_that_asks_for_components_while_loading_fails_alone(shelf: Any) -> None:
    shelf.add("toy-a", {"a": "import toy_registry_under_test as t\nt.manager.components()"})
    shelf.add("toy-b", {"b": GOOD})
    manager = shelf.manager()
    sys.modules["toy_registry_under_test"] = type("M", (), {"manager": manager})  # type: ignore[assignment]
    try:
        assert [record.status for record in manager.plugins] == ["failed", "loaded"]
    finally:
        del sys.modules["toy_registry_under_test"]


def test_order_does_not_depend_on_the_disk_and_duplicates_load_once(shelf: Any) -> None:
    shelf.add("toy-b", {"b_two": GOOD, "a": GOOD})
    shelf.add("toy-a", {"c": GOOD, "B.one": GOOD})
    bundle = shelf.folder / "toy_bundle-1.0.dist-info"
    bundle.mkdir()
    (bundle / "METADATA").write_text("Name: toy-bundle\nVersion: 1.0\n")
    (bundle / "entry_points.txt").write_text("[toy.plugins]\na = toy_b_a\n")
    records = shelf.manager().plugins
    assert [record.plugin for record in records] == ["a", "B.one", "b_two", "c"]
    assert (records[0].distribution, records[0].duplicates) == ("toy-b", ("toy-bundle",))
    assert {record.status for record in records} == {"loaded"}


def test_a_damaged_distribution_does_not_stop_the_scan(shelf: Any) -> None:
    shelf.add("toy-a", {"a": GOOD})
    shelf.add("toy-b", {"b": GOOD})
    (shelf.folder / "toy_a-1.0.dist-info/METADATA").unlink()
    (shelf.folder / "toy_c-1.0.dist-info").mkdir()
    (shelf.folder / "toy_c-1.0.dist-info/entry_points.txt").write_text("[toy.plugins]\nno equals sign\n")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        found = discover("toy.plugins")
    assert [plugin.plugin for plugin in found] == ["a", "b"]
    assert (found[0].distribution, found[1].distribution) == ("", "toy-b")
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("environ", "loaded"),
    [
        ({}, ["my-plug", "other"]),
        ({"TOY_PLUGINS": ""}, []),
        ({"TOY_PLUGINS": "My_Plug"}, ["my-plug"]),
        ({"TOY_PLUGINS": "toy.a"}, ["my-plug"]),
        ({"TOY_PLUGINS": "toy-b:other, my-plug"}, ["my-plug", "other"]),
        ({"TOY_PLUGINS": "toy-a:other"}, []),
        ({"TOY_PLUGINS_DENY": "TOY_B"}, ["my-plug"]),
        ({"TOY_PLUGINS": "other,my-plug", "TOY_PLUGINS_DENY": "toy-b:other"}, ["my-plug"]),
        ({"TOY_PLUGINS_DENY": ""}, ["my-plug", "other"]),
    ],
)
def test_policy_is_decided_before_import(shelf: Any, environ: dict[str, str], loaded: list[str]) -> None:
    shelf.add("toy-a", {"my-plug": GOOD})
    shelf.add("toy-b", {"other": GOOD})
    manager = shelf.manager(**environ)
    assert [record.plugin for record in manager.plugins if record.status == "loaded"] == loaded
    for record in manager.plugins:
        assert (record.module in sys.modules) == (record.status == "loaded")
        assert record.status == "loaded" or any(key in record.reason for key in environ)


def test_policy_file(shelf: Any, tmp_path: Path) -> None:
    for name in "abc":
        shelf.add(f"toy-{name}", {name: GOOD})
    file = tmp_path / "home/.config/toy/plugins.toml"
    file.parent.mkdir(parents=True)
    file.write_text('[plugins]\nallow = ["a", "toy_b", "zzz"]\ndeny = ["b"]\n')

    def loaded(**environ: str) -> list[str]:
        manager = shelf.manager(**environ)
        return [record.plugin for record in manager.plugins if record.status == "loaded"]

    assert loaded() == ["a"]
    assert loaded(TOY_PLUGINS="b,c") == ["c"]  # the variable replaces the file's allow-list, never its deny-list
    assert [entry for entry, _ in shelf.manager().idle_policy_entries()] == ["zzz"]
    other = tmp_path / "other.toml"
    other.write_text('[plugins]\ndeny = ["c"]')
    assert loaded(TOY_PLUGINS_FILE=str(other)) == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[plugins", "not TOML"),
        ("[plugin]\nallow = []", "[plugin]"),
        ('[plugins]\nalow = ["a"]', "plugins.alow"),
        ('[plugins]\nallow = "a"', "'a'"),
        ("plugins = 3", "plugins = 3"),
        (None, "does not exist"),
    ],
)
@pytest.mark.silent_failure(22)
def test_a_policy_file_that_cannot_be_meant_is_an_error(
    shelf: Any, tmp_path: Path, text: str | None, says: str
) -> None:
    file = tmp_path / "policy.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(PolicyError) as caught:
        shelf.manager(TOY_PLUGINS_FILE=str(file)).load()
    assert says in caught.value.what
    assert str(file) in caught.value.what
    assert caught.value.remedy


@pytest.mark.silent_failure(3)
def test_resolve_short_qualified_and_full(shelf: Any) -> None:
    shelf.add("toy-a", {"my_plug": widgets("one", "shared")})
    shelf.add("toy-b", {"other": widgets("shared")}, version="2.0")
    manager = shelf.manager()
    one, shared, others = manager.components("widget")
    assert manager.resolve("widget", "one") is one
    for text in ("my_plug/one", "my-plug/one", "toy-a:my-plug/one", "TOY_A:my.plug/one"):
        assert manager.resolve("widget", text) is one
    assert [manager.spelling(component) for component in (one, shared, others)] == [
        "one",
        "my_plug/shared",
        "other/shared",
    ]
    with pytest.raises(AmbiguousComponent) as caught:
        manager.resolve("widget", "shared")
    for text in ("toy-a 1.0", "toy-b 2.0", "my_plug/shared", "other/shared"):
        assert text in str(caught.value)
    assert manager.resolve("widget", "other/shared") is others


@pytest.mark.silent_failure(2)
@pytest.mark.parametrize("names", [("mlp", "mof_mlp", "mlp2x"), ("mlp2x", "mof_mlp", "mlp")])
def test_a_name_within_another_is_itself(shelf: Any, names: tuple[str, ...]) -> None:
    shelf.add("toy-a", {"a": widgets(*names)})
    shelf.add("toy-b", {"b": widgets("mlp_mof")})
    manager = shelf.manager()
    assert {name: manager.resolve("widget", name).name for name in names} == {name: name for name in names}
    with pytest.raises(UnknownComponent, match="did you mean"):
        manager.resolve("widget", "ml")


@pytest.mark.silent_failure(3)
def test_a_plugin_name_of_two_distributions_needs_the_full_name(shelf: Any) -> None:
    shelf.add("toy-a", {"plug": widgets("one")})
    shelf.add("toy-b", {"Plug": widgets("two")})
    manager = shelf.manager()
    assert [record.status for record in manager.plugins] == ["loaded", "loaded"]
    for text in ("one", "plug/one", "plug/two"):
        with pytest.raises(AmbiguousComponent) as caught:
            manager.resolve("widget", text)
        assert "toy-a 1.0" in caught.value.what
        assert "toy-b 1.0" in caught.value.what
        assert f":{'plug' if 'one' in text else 'Plug'}/" in str(caught.value.remedy)
    one = manager.resolve("widget", "toy-a:plug/one")
    assert manager.spelling(one) == "toy-a:plug/one"
    assert shelf.manager(TOY_PLUGINS_DENY="toy-b").resolve("widget", "one").distribution == "toy-a"


@pytest.mark.silent_failure(5)
def test_unknown_names_are_explained(shelf: Any) -> None:
    shelf.add("toy-a", {"plug": widgets("siglip", "eva-clip")})
    shelf.add("toy-b", {"broken": BROKEN["import-error"][0], "future": BROKEN["future"][0], "off": GOOD})
    manager = shelf.manager(TOY_PLUGINS_DENY="off")
    with pytest.raises(UnknownComponent) as caught:
        manager.resolve("widget", "sigilp")
    what = caught.value.what
    for text in ("did you mean 'siglip'", "eva-clip", "no_such_library_xyz", "hook API", "TOY_PLUGINS_DENY"):
        assert text in what
    assert "toy plugins doctor" in str(caught.value.remedy)
    with pytest.raises(UnknownKind, match="did you mean 'widget'"):
        manager.resolve("wigdet", "siglip")
    with pytest.raises(UnknownKind):
        manager.components("nothing")
    with pytest.raises(UnknownComponent, match="available: none"):
        manager.resolve("gadget", "x")


def test_records_of_other_types_need_no_more_than_a_name(shelf: Any) -> None:
    shelf.add("toy-a", {"a": "@hookimpl\ndef toy_gadgets(): return [Gadget(name='go')]"})
    component = shelf.manager().resolve("gadget", "go")
    assert component.qualified == "a/go"
    assert missing_requirements(component) == []


def test_requirements_are_checked_from_metadata_before_the_factory_is_imported(shelf: Any) -> None:
    wanted = ("pluggy>=1", "pluggy>=999", "no-such-xyz>=2", "gone; python_version < '3'")
    shelf.add(
        "toy-a", {"a": widgets("w", module="boom", requires=wanted)}, modules={"boom": "raise OSError('imported')"}
    )
    component = shelf.manager().resolve("widget", "w")
    assert [item.requirement for item in missing_requirements(component)] == ["pluggy>=999", "no-such-xyz>=2"]
    with pytest.raises(MissingRequirements) as caught:
        import_factory(component)
    assert caught.value.remedy == "pip install 'pluggy>=999' 'no-such-xyz>=2'"
    assert "toy-a 1.0" in caught.value.what
    with pytest.raises(BrokenReference, match="OSError: imported") as broken:
        import_reference("boom:build", component)
    assert isinstance(broken.value.__cause__, OSError)
    assert "toy-a 1.0" in broken.value.what
    with pytest.raises(BrokenReference, match="did you mean 'dumps'"):
        import_reference("json:dump_s")
    with pytest.raises(BrokenReference, match="must be written"):
        import_reference("json.dumps")
    shelf.add("toy-b", {"b": widgets("bad", requires=("not a requirement",))})
    with pytest.raises(BrokenReference, match="not PEP 508"):
        missing_requirements(shelf.manager().resolve("widget", "bad"))


def test_the_engine_knows_nothing_of_the_program() -> None:
    folder = Path(janus_registry.__file__).parent
    files = sorted(folder.glob("*.py"))
    assert len(files) > 8
    for file in files:
        source = file.read_text()
        assert len(source.splitlines()) < 250, file
        for node in ast.walk(ast.parse(source)):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in modules:
                top = module.partition(".")[0]
                assert top == "janus_registry" or not top.startswith("janus"), (file, module)
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert "JANUS" not in node.value, file
