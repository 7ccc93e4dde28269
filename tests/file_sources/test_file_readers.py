"""Readers of a user's files; what cannot be used is a BadRecord that names file and line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from janus_core.config.recipe import ComponentChoice
from janus_core.data.sources import build_source
from janus_core.errors import UserError
from janus_core.interfaces import BadRecord, Given, Message, Target

RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (4, 3), RED).save(tmp_path / "pictures" / "red.png")
    Image.new("RGB", (4, 3), BLUE).save(tmp_path / "pictures" / "blue.png")
    (tmp_path / "pictures" / "text.png").write_text("no picture", encoding="utf-8")
    return tmp_path


def source(folder: Path, kind: str, **options: Any) -> Any:
    return build_source(ComponentChoice(type=kind, options=options), "sources.mine", folder)


def jsonl(folder: Path, *records: Any, name: str = "a.jsonl") -> str:
    lines = [record if isinstance(record, str) else json.dumps(record, ensure_ascii=False) for record in records]
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return name


def shown(messages: tuple[Message, ...]) -> list[tuple[str, ...]]:
    """Messages with pictures as their colour."""
    return [
        (m.role, *(p if isinstance(p, str) else f"{type(p).__name__} {p.raw.getpixel((0, 0))}" for p in m.parts))
        for m in messages
    ]


def bad(records: Any, index: int) -> BadRecord:
    with pytest.raises(BadRecord) as caught:
        records[index]
    return caught.value


# -- captions ---------------------------------------------------------------------------------------------------------


def test_captions_to_describe(folder: Path) -> None:
    name = jsonl(folder, {"image": "red.png", "caption": " a red one "}, {"image": "blue.png", "caption": "blau: ü"})
    found = source(folder, "image_captions", path=name, images="pictures", task="understanding", route="eye")
    assert len(found) == 2
    assert shown(found[0].messages) == [
        ("user", f"Given {RED}", "\nDescribe the image in detail."),
        ("assistant", "a red one"),
    ]
    assert found[0].messages[0].parts[0].route == "eye"
    assert (found[1].task, found[1].messages[1].parts) == ("understanding", ("blau: ü",))
    assert found[0].id != found[1].id
    assert found[0].messages[0].parts[0].raw.mode == "RGB"


def test_captions_to_draw_with_keys_of_ones_own(folder: Path) -> None:
    name = jsonl(folder, {"file": "pictures/blue.png", "text": "a blue one"})
    found = source(folder, "image_captions", path=name, task="generation", image_key="file", caption_key="text")
    assert shown(found[0].messages) == [("user", "a blue one"), ("assistant", f"Target {BLUE}")]
    assert isinstance(found[0].messages[1].parts[0], Target)
    assert found[0].task == "generation"


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ('{"image": "red.png", "caption": ', "not JSON"),
        ("[1, 2]", "list, not an object"),
        ("null", "NoneType"),
        ({"caption": "x"}, "'image'"),
        ({"image": "red.png"}, "'caption'"),
        ({"image": "red.png", "caption": "  "}, "'caption'"),
        ({"image": "red.png", "caption": 5}, "5"),
        ({"image": None, "caption": "x"}, "None"),
        ({"image": "none.png", "caption": "x"}, "none.png does not exist"),
        ({"image": "text.png", "caption": "x"}, "text.png is not an image"),
        ({"image": ".", "caption": "x"}, "cannot be read"),
        ({"image": "a\x00b", "caption": "x"}, "null"),
    ],
)
def test_a_bad_caption_names_its_line_and_spoils_no_other(folder: Path, record: Any, told: str) -> None:
    good = {"image": "red.png", "caption": "x"}
    name = jsonl(folder, good, "", record, "   ", good)
    found = source(folder, "image_captions", path=name, images="pictures", task="generation")
    assert len(found) == 3
    error = bad(found, 1)
    assert error.place == f"{folder / name}:3"
    assert told in error.reason
    assert found[0].messages == found[0].messages
    assert found[2].id == f"{folder / name}:5"


def test_lines_that_are_not_utf8_are_bad_records(folder: Path) -> None:
    (folder / "a.jsonl").write_bytes(b'{"text": "fine"}\n{"text": "\xff\xfe"}\n{"text": "last"}')
    found = source(folder, "text_jsonl", path="a.jsonl")
    assert found[0].messages[0].parts == ("fine",)
    assert bad(found, 1).place.endswith("a.jsonl:2")
    assert found[2].messages[0].parts == ("last",)


def test_a_byte_order_mark_and_windows_line_ends(folder: Path) -> None:
    (folder / "a.jsonl").write_bytes('\ufeff{"text": "one"}\r\n\r\n{"text": "two"}\r\n'.encode())
    found = source(folder, "text_jsonl", path="a.jsonl")
    assert [found[i].messages[0].parts for i in range(len(found))] == [("one",), ("two",)]
    assert found[1].id.endswith(":3")


# -- text -------------------------------------------------------------------------------------------------------------


def test_text(folder: Path) -> None:
    found = source(folder, "text_jsonl", path=jsonl(folder, {"body": "once\nupon"}, {"text": "x"}), text_key="body")
    assert found[0].messages == (Message("plain", ("once\nupon",)),)
    assert found[0].task == "text"
    error = bad(found, 1)
    assert error.place.endswith("a.jsonl:2")
    assert "'body'" in error.reason
    assert "text" in error.reason  # the keys that there are


# -- LLaVA ------------------------------------------------------------------------------------------------------------


def turns(*texts: str) -> list[dict[str, str]]:
    return [{"from": "human" if i % 2 == 0 else "gpt", "value": text} for i, text in enumerate(texts)]


def llava(folder: Path, *records: Any, suffix: str = "json") -> Any:
    if suffix == "jsonl":
        return source(folder, "llava", path=jsonl(folder, *records), images="pictures")
    (folder / "a.json").write_text(json.dumps(records, indent=2), encoding="utf-8")
    return source(folder, "llava", path="a.json", images="pictures")


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_conversations(folder: Path, suffix: str) -> None:
    record = {"id": "7", "image": "red.png", "conversations": turns("<image>\nwhat?", "red", "sure?", "yes")}
    found = llava(folder, {"conversations": turns("hi", "ho")}, record, suffix=suffix)
    assert len(found) == 2
    assert shown(found[0].messages) == [("user", "hi"), ("assistant", "ho")]
    assert shown(found[1].messages) == [
        ("user", f"Given {RED}", "\nwhat?"),
        ("assistant", "red"),
        ("user", "sure?"),
        ("assistant", "yes"),
    ]
    assert isinstance(found[1].messages[0].parts[0], Given)
    assert found[1].task == "understanding"


def test_several_images_go_to_their_marks_in_order(folder: Path) -> None:
    record = {
        "image": ["red.png", "blue.png", "red.png"],
        "conversations": turns("<image> or <image>?", "both", "and now: <image>", "red"),
    }
    found = llava(folder, record)
    assert shown(found[0].messages)[0] == ("user", f"Given {RED}", " or ", f"Given {BLUE}", "?")
    assert shown(found[0].messages)[2] == ("user", "and now: ", f"Given {RED}")


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"image": "none.png", "conversations": turns("<image>", "x")}, "none.png does not exist"),
        ({"image": "red.png", "conversations": turns("no mark", "x")}, "1 images, but 0 times <image>"),
        ({"image": "red.png", "conversations": turns("<image><image>", "x")}, "more <image>"),
        ({"conversations": turns("<image>", "x")}, "more <image>"),
        ({"image": ["red.png", "blue.png"], "conversations": turns("<image>", "x")}, "2 images, but 1 times"),
        ({"image": "red.png", "conversations": turns("<image>")}, "does not end with an answer"),
        ({"image": "red.png", "conversations": []}, "'conversations'"),
        ({"image": "red.png"}, "'conversations'"),
        ({"conversations": "hello"}, "'conversations'"),
        ({"conversations": [{"from": "robot", "value": "x"}]}, "human"),
        ({"conversations": [{"from": "human", "value": 3}]}, "value"),
        ({"conversations": ["hello"]}, "hello"),
        ("just text", "str, not an object"),
    ],
)
@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_a_bad_conversation_names_its_line(folder: Path, record: Any, told: str, suffix: str) -> None:
    good = {"conversations": turns("hi", "ho")}
    written = json.dumps(record) if suffix == "jsonl" else record
    found = llava(folder, good, written, good, suffix=suffix)
    error = bad(found, 1)
    file, _, line = error.place.rpartition(":")
    assert file == str(folder / f"a.{suffix}")
    if suffix == "jsonl":
        assert line == "2"
    else:
        text = (folder / "a.json").read_text(encoding="utf-8").splitlines()
        assert text[int(line) - 1].strip() in ("{", '"just text",')
        assert int(line) > 5
    assert told in error.reason
    assert len(found[2].messages) == 2


def test_an_image_entry_of_null_is_none(folder: Path) -> None:
    found = llava(folder, {"image": None, "conversations": turns("hi", "ho")})
    assert shown(found[0].messages) == [("user", "hi"), ("assistant", "ho")]


def test_conversations_without_images_can_be_text(folder: Path) -> None:
    records = [{"conversations": turns("hi", "ho")}, {"image": "a.png", "conversations": turns("<image>hi", "ho")}]
    (folder / "a.json").write_text(json.dumps(records), encoding="utf-8")
    found = source(folder, "llava", path="a.json", task="text")
    assert (found[0].task, shown(found[0].messages)) == ("text", [("user", "hi"), ("assistant", "ho")])
    with pytest.raises(BadRecord, match="task: text"):
        found[1]


# -- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["image_captions", "llava", "text_jsonl"])
def test_a_missing_or_empty_file_is_told_with_the_place(folder: Path, kind: str) -> None:
    options = {"task": "generation"} if kind == "image_captions" else {}
    (folder / "empty.jsonl").touch()
    for name, told in (("none.jsonl", "does not exist"), ("pictures", "is not a file"), ("empty.jsonl", "no samples")):
        with pytest.raises(UserError, match=told) as caught:
            source(folder, kind, path=name, **options)
        assert "sources.mine" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "line"), [('{"a": 1}', None), ('[\n{"a": 1},\n{"b"\n]', 3), ("[\n1,\n2\n", None), ("", None)]
)
def test_a_list_that_is_broken_names_the_line(folder: Path, content: str, line: int | None) -> None:
    (folder / "a.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"a\.json") as caught:
        source(folder, "llava", path="a.json")
    if line is not None:
        assert f"a.json:{line}" in str(caught.value)


def test_a_file_in_another_encoding_is_named(folder: Path) -> None:
    (folder / "a.json").write_bytes(b'[{"conversations": "\xff"}]')
    with pytest.raises(UserError, match=r"a\.json"):
        source(folder, "llava", path="a.json")


def test_a_sample_is_the_same_at_any_time(folder: Path) -> None:
    import pickle

    name = jsonl(folder, *({"text": f"number {i}"} for i in range(50)))
    found = source(folder, "text_jsonl", path=name)
    again = pickle.loads(pickle.dumps(found))
    for index in (49, 0, 25, 49):
        assert again[index] == found[index]
        assert found[index].messages[0].parts == (f"number {index}",)
