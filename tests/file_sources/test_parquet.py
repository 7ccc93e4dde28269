"""Parquet files: columns, row groups, rows that cannot be used, and pyarrow missing."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from janus_core.errors import UserError
from janus_core.interfaces import BadRecord


def write(desk: Any, name: str = "a.parquet", rows: int = 2, **columns: Any) -> Any:
    pq.write_table(pa.table(columns), desk.folder / name, row_group_size=rows)
    return desk


def opened(desk: Any, task: str = "generation", **options: Any) -> Any:
    return desk.open("parquet", path="a.parquet", task=task, **options)


def bad(found: Any, index: int) -> BadRecord:
    with pytest.raises(BadRecord) as caught:
        found[index]
    return caught.value


def test_columns_of_ones_own_and_raw_bytes(desk: Any) -> None:
    write(
        desk,
        jpg=pa.array([desk.png(10), desk.png(20)], pa.large_binary()),
        text=pa.array(["a", "b"], pa.large_string()),
    )
    found = opened(desk, image_column="jpg", caption_column="text")
    assert [found[i].messages[0].parts for i in range(2)] == [("a",), ("b",)]
    assert found[1].messages[1].parts[0].raw.getpixel((0, 0)) == (20, 20, 20)


def test_categories_are_texts(desk: Any) -> None:
    write(desk, caption=pa.array(["a", "b", "a"]).dictionary_encode())
    assert [opened(desk, "text")[i].messages[0].parts[0] for i in range(3)] == ["a", "b", "a"]


def test_of_several_captions_a_row_always_gives_the_same(desk: Any) -> None:
    count = 200
    write(desk, rows=50, caption=[[f"{i} {word}" for word in "abcd"] for i in range(count)])
    found = opened(desk, "text")
    first = [found[i].messages[0].parts[0] for i in range(count)]
    assert [text.split()[0] for text in first] == [str(i) for i in range(count)]
    assert [opened(desk, "text")[i].messages[0].parts[0] for i in range(0, count, 7)] == first[::7]
    assert all(30 <= times <= 70 for times in Counter(text.split()[1] for text in first).values())


def test_bad_rows_name_file_and_row_and_spoil_no_other(desk: Any) -> None:
    picture = {"bytes": desk.png(10), "path": None}
    rows: list[tuple[Any, Any, str]] = [
        (picture, "good", ""),
        (None, "x", "no bytes"),
        ({"bytes": None, "path": "cat.jpg"}, "x", "cat.jpg"),
        ({"bytes": b"no picture", "path": None}, "x", "not an image"),
        ({"bytes": desk.png(10)[:50], "path": None}, "x", "damaged"),
        (picture, None, "'caption'"),
        (picture, "  ", "'caption'"),
        (picture, "good", ""),
    ]
    write(desk, rows=3, image=[row[0] for row in rows], caption=[row[1] for row in rows])
    found = opened(desk)
    assert len(found) == len(rows)
    for i, (_, _, told) in enumerate(rows):
        if told:
            error = bad(found, i)
            assert error.place == f"{desk.folder / 'a.parquet'}:row {i}"
            assert told in error.reason
        else:
            assert found[i].messages[0].parts == ("good",)
    write(desk, caption=[["x"], [], None])
    assert "'caption'" in bad(opened(desk, "text"), 1).reason
    assert "'caption'" in bad(opened(desk, "text"), 2).reason


def test_a_row_group_is_read_once_while_it_is_in_use(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    read = pq.ParquetFile.read_row_group

    def counted(self: Any, i: int, **options: Any) -> Any:
        reads.append(i)
        assert "other" not in options["columns"]
        return read(self, i, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    found = desk.open("parquet", **desk.write("parquet"), task="generation", row_groups=2)
    assert reads == []
    for i in (0, 1, 2, 0, 3, 1):
        found[i]
    assert reads == [0, 1]
    for i in (4, 0, 2):  # the third group takes the place of the one used longest ago
        found[i]
    assert reads == [0, 1, 0, 1]


def test_empty_files_among_others(desk: Any) -> None:
    write(desk, "a.parquet", caption=["a", "b"])
    write(desk, "b.parquet", caption=pa.array([], pa.string()))
    write(desk, "c.parquet", caption=["c"])
    found = desk.open("parquet", path="*.parquet", task="text")
    assert [found[i].messages[0].parts[0] for i in range(len(found))] == ["a", "b", "c"]
    with pytest.raises(UserError, match="no samples"):
        desk.open("parquet", path="b.parquet", task="text")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"caption_column": "txt"}, ("'txt'", "caption_column", "image, caption, number")),
        ({"image_column": "jpg"}, ("'jpg'", "image_column", "image, caption, number")),
        ({"caption_column": "number"}, ("'number'", "int64", "caption_column")),
        ({"image_column": "caption"}, ("'caption'", "string", "image_column")),
    ],
)
def test_columns_that_there_are_not(desk: Any, options: dict[str, str], told: tuple[str, ...]) -> None:
    write(desk, image=[{"bytes": b"", "path": ""}], caption=["x"], number=[1])
    with pytest.raises(UserError) as caught:
        opened(desk, **options)
    for text in ("a.parquet", "sources.mine", *told):
        assert text in str(caught.value)


def test_text_needs_no_pictures(desk: Any) -> None:
    assert opened(write(desk, caption=["x"]), "text")[0].messages[0].parts == ("x",)


def test_files_that_are_none(desk: Any) -> None:
    (desk.folder / "a.parquet").write_bytes(b"hello")
    with pytest.raises(UserError, match="no Parquet file"):
        opened(desk)
    write(desk, caption=["x" * 1000] * 5)
    data = (desk.folder / "a.parquet").read_bytes()
    (desk.folder / "a.parquet").write_bytes(data[:-50])
    with pytest.raises(UserError, match="no Parquet file"):
        opened(desk, "text")


def test_a_file_that_is_lost_or_changed_under_a_run(desk: Any) -> None:
    found = opened(write(desk, rows=4, caption=["a", "b", "c", "d"]), "text")
    write(desk, rows=4, caption=["a", "b"])
    assert "changed" in bad(found, 3).reason
    found = opened(desk, "text")
    (desk.folder / "a.parquet").unlink()
    assert "cannot be read" in bad(found, 0).reason


def test_without_pyarrow_the_extra_is_named(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write(desk, caption=["x"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match="pyarrow") as caught:
        opened(desk, "text")
    assert caught.value.remedy == "pip install 'janus-umm[data]'"
