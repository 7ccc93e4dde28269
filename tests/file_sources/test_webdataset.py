"""Tar shards: what is a sample, the index, and shards that are not as they should be."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from janus_core.errors import UserError
from janus_core.interfaces import BadRecord
from janus_file_sources import tar_index


def captions(found: Any) -> list[str]:
    return [found[i].messages[0].parts[0] for i in range(len(found))]


def opened(desk: Any, *members: tuple[str, bytes], task: str = "generation", **options: Any) -> Any:
    desk.write_shard(desk.folder / "a.tar", list(members))
    return desk.open("webdataset", path="a.tar", task=task, **options)


def level(sample: Any) -> int:
    value: int = sample.messages[1].parts[0].raw.getpixel((0, 0))[0]
    return value


def bad(found: Any, index: int) -> BadRecord:
    with pytest.raises(BadRecord) as caught:
        found[index]
    return caught.value


# -- samples ----------------------------------------------------------------------------------------------------------


def test_the_key_ends_at_the_first_dot_of_the_last_part(desk: Any) -> None:
    found = opened(
        desk,
        ("v1.0/a.txt", b"one"),
        ("v1.0/a.seg.png", desk.png(200)),
        ("v1.0/a.PNG", desk.png(10)),
        ("v1.0/b.jpg", desk.png(20)),
        ("v1.0/b.txt", b"two"),
        ("v2/a.webp", desk.png(30)),
        ("v2/a.txt", b"three"),
        ("README", b"no sample"),
        (".hidden", b"none either"),
    )
    assert captions(found) == ["one", "two", "three"]
    assert [level(found[i]) for i in range(3)] == [10, 20, 30]
    assert [found[i].id for i in range(3)] == [f"{desk.folder / 'a.tar'}:{key}" for key in ("v1.0/a", "v1.0/b", "v2/a")]
    other = desk.open("webdataset", path="a.tar", task="generation", extensions=[".seg.png", "jpg"])
    assert [level(other[i]) for i in range(2)] == [200, 20]


def test_the_first_extension_that_a_sample_has_is_its_picture(desk: Any) -> None:
    found = opened(desk, ("a.png", desk.png(10)), ("a.jpg", desk.png(20)), ("a.txt", b"x"))
    assert level(found[0]) == 20
    assert level(desk.open("webdataset", path="a.tar", task="generation", extensions=["png", "jpg"])[0]) == 10


def test_members_of_a_sample_need_not_be_neighbours(desk: Any) -> None:
    found = opened(
        desk, ("a.png", desk.png(10)), ("b.png", desk.png(20)), ("b.txt", b"the second"), ("a.txt", b"the first")
    )
    assert captions(found) == ["the first", "the second"]
    assert [level(found[i]) for i in range(2)] == [10, 20]


def test_a_key_that_is_used_twice_makes_two_samples(desk: Any) -> None:
    members = [("a.png", desk.png(10)), ("a.txt", b"one"), ("b.txt", b"x"), ("a.png", desk.png(20)), ("a.txt", b"two")]
    found = opened(desk, *members)
    assert [found[i].id.rpartition(":")[2] for i in (0, 2)] == ["a", "a#2"]
    assert [level(found[i]) for i in (0, 2)] == [10, 20]
    assert found[2].messages[0].parts == ("two",)


def test_captions_in_json(desk: Any) -> None:
    record = {"meta": {"long": " eine Möwe "}, "short.one": "gull"}
    members = [("a.png", desk.png(10)), ("a.json", json.dumps(record, ensure_ascii=False).encode())]
    assert captions(opened(desk, *members, caption_key="meta.long")) == ["eine Möwe"]
    assert captions(opened(desk, *members, caption_key="short.one")) == ["gull"]
    error = bad(opened(desk, *members, caption_key="meta.none"), 0)
    assert error.place == f"{desk.folder / 'a.tar'}:a.json"
    assert "'meta.none'" in error.reason and "meta, short.one" in error.reason


def test_names_of_any_length_and_encoding(desk: Any) -> None:
    long = "ordner/" + "ü" * 150
    with tarfile.open(desk.folder / "a.tar", "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as tar:
        for name, file in ((f"{long}.png", "p"), (f"{long}.txt", "t")):
            (desk.folder / file).write_bytes(desk.png(40) if file == "p" else b"long")
            tar.add(desk.folder / file, name)
    desk.write_shard(desk.folder / "b.tar", {f"{long}.png": desk.png(50), f"{long}.txt": "länger".encode()})
    found = desk.open("webdataset", path=["b.tar", "a.tar"], task="generation")
    assert captions(found) == ["länger", "long"]
    assert [level(found[i]) for i in range(2)] == [50, 40]
    found[1].id.encode()  # can be printed
    assert found[0].id.endswith(f":{long}")


@pytest.mark.parametrize(
    ("members", "place", "told"),
    [
        ({"b.txt": b"x"}, ":b", "no member .jpg or .jpeg or .png or .webp"),
        ({"b.png": b"P"}, ":b", "no member .txt"),
        ({"b.png": b"no picture", "b.txt": b"x"}, ":b", "not an image"),
        ({"b.png": b"", "b.txt": b"x"}, ":b", "not an image"),
        ({"b.png": b"P", "b.txt": b" \n"}, ":b.txt", "empty"),
        ({"b.png": b"P", "b.txt": b"\xff\xfe"}, ":b.txt", "UTF-8"),
    ],
)
def test_a_bad_sample_names_shard_and_member(desk: Any, members: dict[str, bytes], place: str, told: str) -> None:
    good = [("a.png", desk.png(10)), ("a.txt", b"good")]
    wrong = [(name, desk.png(20) if data == b"P" else data) for name, data in members.items()]
    found = opened(desk, *good, *wrong, ("c.png", desk.png(30)), ("c.txt", b"good"))
    assert len(found) == 3
    error = bad(found, 1)
    assert error.place == f"{desk.folder / 'a.tar'}{place}"
    assert told in error.reason
    assert (level(found[0]), level(found[2])) == (10, 30)


def test_broken_json_names_its_member(desk: Any) -> None:
    good = [("a.png", desk.png(10)), ("a.json", b'{"caption": "x"}')]
    for data, told in ((b"{", "not JSON"), (b"[1]", "list, not an object"), (b"\xff", "not JSON")):
        found = opened(desk, *good, ("b.png", desk.png(10)), ("b.json", data), caption_key="caption")
        error = bad(found, 1)
        assert error.place.endswith("a.tar:b.json") and told in error.reason


def test_options_that_fit_no_sample_are_refused(desk: Any) -> None:
    members = [("a.png", desk.png(10)), ("a.json", b"{}")]
    with pytest.raises(UserError, match=r"no member \.txt|no sample has a member \.txt") as caught:
        opened(desk, *members)
    assert ".json, .png" in str(caught.value) and "caption_key" in str(caught.value)
    with pytest.raises(UserError, match="extensions") as caught:
        opened(desk, *members, caption_key="c", extensions=["tif"])
    assert ".tif" in str(caught.value)
    with pytest.raises(UserError, match="no samples"):
        opened(desk, ("README", b"x"))


# -- paths ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "order"),
    [
        ("*.tar", "abc"),
        ("[ab].tar", "ab"),
        ("{c,a}.tar", "ca"),
        (["c.tar", "a.tar"], "ca"),
        (["b.tar", "[ac].tar"], "bac"),
        ("**/*.tar", "abc"),
        ("./a.tar", "a"),
    ],
)
def test_paths_and_patterns(desk: Any, path: Any, order: str) -> None:
    for name in "abc":
        desk.write_shard(desk.folder / f"{name}.tar", {"0.txt": name.encode()})
    assert captions(desk.open("webdataset", path=path, task="text")) == list(order)
    if isinstance(path, str):
        assert captions(desk.open("webdataset", path=str(desk.folder / path), task="text")) == list(order)


def test_a_name_with_signs_of_patterns_is_a_name_first(desk: Any) -> None:
    desk.write_shard(desk.folder / "a[1]{b,c}.tar", {"0.txt": b"x"})
    assert len(desk.open("webdataset", path="a[1]{b,c}.tar", task="text")) == 1


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("{000..003}.tar", ("1 of the files", "003.tar")),
        ("x*.tar", ("x*.tar",)),
        (["*.tar", "000.tar"], ("000.tar twice", "mixture")),
        ("s3://bucket/{000..003}.tar", ("s3://", "copy")),
        ("pipe:cat 000.tar", ("pipe:", "copy")),
        ("{003..000}.tar", ("{000..003}",)),
        (".", ("is a folder", "pattern")),
        ([], ("path",)),
    ],
)
def test_paths_that_name_no_files(desk: Any, path: Any, told: tuple[str, ...]) -> None:
    desk.write("webdataset")
    with pytest.raises(UserError) as caught:
        desk.open("webdataset", path=path, task="text")
    for text in ("sources.mine", *told):
        assert text in str(caught.value)


# -- the index --------------------------------------------------------------------------------------------------------


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The shards that were indexed, one after another."""
    done: list[str] = []
    scan = tar_index.scan

    def counted(shard: Path, signature: tuple[int, int]) -> Any:
        done.append(shard.name)
        return scan(shard, signature)

    monkeypatch.setattr(tar_index, "scan", counted)
    return done


def test_a_shard_is_indexed_once_and_anew_when_it_changes(desk: Any, scans: list[str]) -> None:
    options = desk.write("webdataset")
    desk.open("webdataset", **options, task="text")
    assert scans == ["000.tar", "001.tar", "002.tar"]
    assert (desk.folder / ".000.tar.janus-index").is_file()
    assert captions(desk.open("webdataset", **options, task="text")) == [desk.caption(i) for i in range(7)]
    assert len(scans) == 3
    desk.write_shard(desk.folder / "001.tar", {"new.txt": b"new", "newer.txt": b"newer"})
    found = desk.open("webdataset", **options, task="text")
    assert scans[3:] == ["001.tar"]
    assert captions(found)[2:6] == [desk.caption(2), "new", "newer", desk.caption(4)]
    status = (desk.folder / "002.tar").stat()
    os.utime(desk.folder / "002.tar", ns=(status.st_atime_ns, status.st_mtime_ns + 1))  # of the same size
    desk.open("webdataset", **options, task="text")
    assert scans[4:] == ["002.tar"]
    assert not list(desk.folder.glob(".*.partial"))


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "other format", "folder of zip", "a byte"])
def test_a_broken_index_is_made_anew(desk: Any, scans: list[str], damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options = desk.write("webdataset")
    expected = captions(desk.open("webdataset", **options, task="text"))
    file = desk.folder / ".000.tar.janus-index"
    data = file.read_bytes()
    if damage == "other format":
        monkeypatch.setattr(tar_index, "FORMAT", tar_index.FORMAT + 1)
    written = {"empty": b"", "cut": data[: len(data) // 2], "text": b"hello", "folder of zip": data[-22:]}
    middle = data.index("ordner/ö1".encode())
    file.write_bytes(written.get(damage, data[:middle] + b"X" + data[middle + 1 :] if damage == "a byte" else data))
    del scans[:]
    assert captions(desk.open("webdataset", **options, task="text")) == expected
    assert "000.tar" in scans
    del scans[:]
    desk.open("webdataset", **options, task="text")
    assert scans == []


def test_an_index_in_a_folder_of_ones_own(desk: Any, scans: list[str]) -> None:
    for name in "ab":
        (desk.folder / name).mkdir()
        desk.write_shard(desk.folder / name / "0.tar", {"0.txt": name.encode()})
    for _ in range(2):
        found = desk.open("webdataset", path="{a,b}/0.tar", task="text", index="indexes/here")
        assert captions(found) == ["a", "b"]
    assert len(scans) == 2
    assert len(list((desk.folder / "indexes" / "here").iterdir())) == 2
    assert not list(desk.folder.glob("*/.*"))


def test_a_folder_that_cannot_be_written_is_told_with_the_option(desk: Any) -> None:
    options = desk.write("webdataset")
    (desk.folder / "file").touch()
    with pytest.raises(UserError, match="option index") as caught:
        desk.open("webdataset", **options, task="text", index="file/x")
    assert "000.tar" in str(caught.value)


def test_processes_that_index_at_once(desk: Any) -> None:
    """Each writes a file of its own: none takes another's away."""
    options = desk.write("webdataset")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: captions(desk.open("webdataset", **options, task="text")), range(16)))
    assert all(item == found[0] for item in found)


# -- shards that cannot be used ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "command"), [("w:gz", "gzip -d"), ("w:bz2", "bzip2 -d"), ("w:xz", "xz -d")])
def test_a_compressed_shard_is_told_how_to_unpack(desk: Any, mode: str, command: str) -> None:
    desk.write_shard(desk.folder / "a.tar.z", {"0.txt": b"x"}, mode)
    with pytest.raises(UserError, match=f"{command} a.tar.z"):
        desk.open("webdataset", path="a.tar.z", task="text")


@pytest.mark.parametrize("damage", ["cut in a member", "cut in a header", "broken header", "no tar"])
def test_a_damaged_shard_is_refused(desk: Any, damage: str) -> None:
    desk.write_shard(desk.folder / "a.tar", {f"{i}.txt": b"x" * 600 for i in range(3)})
    data = (desk.folder / "a.tar").read_bytes()
    second, third = 512 + 1024, 2 * (512 + 1024)
    written = {
        "cut in a member": data[: third + 512 + 100],
        "cut in a header": data[: third + 100],
        "broken header": data[:second] + b"\1" * 512 + data[second + 512 :],
        "no tar": b"hello" * 500,
    }[damage]
    (desk.folder / "a.tar").write_bytes(written)
    with pytest.raises(UserError, match=r"a\.tar is damaged or no tar"):
        desk.open("webdataset", path="a.tar", task="text")


def test_a_shard_without_end_marks_is_whole(desk: Any) -> None:
    desk.write_shard(desk.folder / "a.tar", {"0.txt": b"x", "1.txt": b"y"})
    (desk.folder / "a.tar").write_bytes((desk.folder / "a.tar").read_bytes()[: 4 * 512])
    assert captions(desk.open("webdataset", path="a.tar", task="text")) == ["x", "y"]


def test_a_shard_that_changes_under_a_run_gives_bad_records_and_no_wrong_ones(desk: Any) -> None:
    found = desk.open("webdataset", **desk.write("webdataset"), task="text")
    elsewhere = pickle.loads(pickle.dumps(found))
    assert found[0].messages[0].parts == (desk.caption(0),)
    desk.write_shard(desk.folder / "000.tar", {"a.txt": b"something else"})
    for reader in (elsewhere, found):  # the second has the file open
        assert "changed since the run began" in bad(reader, 0).reason
    assert elsewhere[3].messages[0].parts == (desk.caption(3),)
    (desk.folder / "001.tar").unlink()
    error = bad(pickle.loads(pickle.dumps(found)), 3)
    assert "cannot be read" in error.reason and "001.tar:" in error.place


def test_more_shards_than_a_process_may_open(desk: Any) -> None:
    count = 100
    for i in range(count):
        desk.write_shard(desk.folder / f"{i:03}.tar", {"0.txt": str(i).encode()})
    found = desk.open("webdataset", path="*.tar", task="text")
    before = len(os.listdir("/proc/self/fd"))
    assert captions(found) == [str(i) for i in range(count)]
    assert len(os.listdir("/proc/self/fd")) - before <= 64
    del found
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_shard_of_the_program_tar(desk: Any) -> None:
    for name, data in (("a.png", desk.png(10)), ("a.txt", b"x"), ("b.png", desk.png(20)), ("b.txt", b"y")):
        (desk.folder / name).write_bytes(data)
    subprocess.run(
        ["tar", "--sort=name", "-cf", "s.tar", "a.png", "a.txt", "b.png", "b.txt"], cwd=desk.folder, check=True
    )
    found = desk.open("webdataset", path="s.tar", task="generation")
    assert captions(found) == ["x", "y"] and level(found[1]) == 20
