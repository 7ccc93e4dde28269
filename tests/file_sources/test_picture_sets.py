"""Class folders, COCO's captions and JourneyDB: what each adds to the readers of captions."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from janus_core.errors import UserError
from janus_core.interfaces import BadRecord


def said(found: Any) -> list[str]:
    return [found[i].messages[0].parts[0] for i in range(len(found))]


def bad(found: Any, index: int) -> BadRecord:
    with pytest.raises(BadRecord) as caught:
        found[index]
    return caught.value


# -- class folders ----------------------------------------------------------------------------------------------------


@pytest.fixture
def classes(desk: Any) -> Any:
    for place in ("n02/b.png", "n02/a.JPEG", "n01/images/c.webp", "n01/.hidden.png", "n01/notes.txt", ".git/x.png"):
        path = desk.folder / "train" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(desk.png(10))
    (desk.folder / "train" / "top.png").write_bytes(desk.png(10))
    return desk


def test_pictures_at_any_depth_in_the_order_of_their_names(classes: Any) -> None:
    found = classes.open("class_folders", path="train", task="generation")
    root = classes.folder / "train"
    assert [found[i].id for i in range(len(found))] == [
        str(root / name) for name in ("n01/images/c.webp", "n02/a.JPEG", "n02/b.png")
    ]
    assert said(found) == ["n01", "n02", "n02"]


@pytest.mark.parametrize(
    ("name", "text", "synonyms", "names"),
    [
        ("n.txt", "n01 tench, Tinca tinca\nn02  house_finch , linnet\n\nn03 cock", "first", ["tench", "house finch"]),
        (
            "n.txt",
            "n01 tench, Tinca tinca\nn02 great white shark\n",
            "all",
            ["tench, Tinca tinca", "great white shark"],
        ),
        ("n.json", '{"n01": "tench", "n02": "Gänse"}', "first", ["tench", "Gänse"]),
        (
            "n.json",
            '{"0": ["n01", "tench"], "1": ["n02", "great_white_shark"]}',
            "first",
            ["tench", "great white shark"],
        ),
    ],
)
def test_names_of_classes(classes: Any, name: str, text: str, synonyms: str, names: list[str]) -> None:
    (classes.folder / name).write_text(text, encoding="utf-8")
    found = classes.open("class_folders", path="train", task="generation", names=name, synonyms=synonyms)
    assert said(found) == [names[0], names[1], names[1]]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("n.txt", "n01 tench\n", ("1 of 2", "'n02'")),
        ("n.txt", "n01 tench\nn02\n", ("1 of 2", "'n02'")),
        ("n.json", "[1]", ("list",)),
        ("n.json", "{", ("n.json",)),
        ("n.json", '{"n01": 5}', ("'n01'", "5")),
    ],
)
def test_names_that_are_wrong(classes: Any, name: str, text: str, told: tuple[str, ...]) -> None:
    (classes.folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        classes.open("class_folders", path="train", task="generation", names=name)
    for part in ("sources.mine", name, *told):
        assert part in str(caught.value)


def test_folders_that_hold_no_classes(classes: Any) -> None:
    (classes.folder / "empty" / "cat").mkdir(parents=True)
    for path, told in (("empty", "1 folders"), ("train/n02", "0 folders"), ("train/top.png", "is not a folder")):
        with pytest.raises(UserError, match=told):
            classes.open("class_folders", path=path, task="generation")
    with pytest.raises(UserError, match=r"none\.txt does not exist"):
        classes.open("class_folders", path="train", task="generation", names="none.txt")


def test_a_damaged_picture_names_its_file(classes: Any) -> None:
    (classes.folder / "train" / "n02" / "a.JPEG").write_bytes(b"no picture")
    found = classes.open("class_folders", path="train", task="generation")
    error = bad(found, 1)
    assert error.place == str(classes.folder / "train" / "n02" / "a.JPEG") and "not an image" in error.reason
    assert found[2].task == "generation"


def test_a_name_that_is_not_utf8_is_read_and_can_be_printed(classes: Any) -> None:
    (classes.folder / "train" / "n02" / "\udcff.png").write_bytes(classes.png(90))
    found = classes.open("class_folders", path="train", task="generation")
    assert found[3].messages[1].parts[0].raw.getpixel((0, 0))[0] == 90
    found[3].id.encode()


# -- COCO -------------------------------------------------------------------------------------------------------------


def coco(desk: Any, images: Any, annotations: Any, **options: Any) -> Any:
    text = json.dumps({"images": images, "annotations": annotations})
    (desk.folder / "c.json").write_text(text, encoding="utf-8")
    return desk.open("coco_captions", path="c.json", images="pictures", task="generation", **options)


def test_one_caption_a_picture_or_all(desk: Any) -> None:
    desk.write("coco_captions")
    images = [{"id": i, "file_name": f"bild-ä{i}.png"} for i in range(7)]
    annotations = [{"image_id": i % 6, "caption": f"{i % 6} {i // 6}"} for i in range(30)]  # the last has none
    every = coco(desk, images, annotations)
    assert said(every) == [item["caption"] for item in annotations]
    one = coco(desk, images, annotations, captions="one")
    assert sorted(text.split()[0] for text in said(one)) == [str(i) for i in range(6)]
    assert said(coco(desk, images[::-1], annotations, captions="one")) == said(one)
    for i in range(len(one)):
        assert one[i].messages[1].parts[0].raw.getpixel((0, 0))[0] == 10 * int(said(one)[i].split()[0])
    many = [{"id": i, "file_name": f"{i}.png"} for i in range(300)]
    five = [{"image_id": i % 300, "caption": str(i // 300)} for i in range(1500)]
    coco(desk, many, five)
    chosen = desk.open("coco_captions", path="c.json", task="text", captions="one")
    assert all(30 <= times <= 90 for times in Counter(said(chosen)).values())


@pytest.mark.parametrize("captions", ["all", "one"])
@pytest.mark.parametrize(
    ("annotation", "told"),
    [
        ({"image_id": 99, "caption": "x"}, "image_id"),
        ({"caption": "x"}, "image_id"),
        ({"image_id": None, "caption": "x"}, "image_id"),
        ({"image_id": [1], "caption": "x"}, "image_id"),
        ({"image_id": 2, "caption": "x"}, "file_name"),
        ({"image_id": 3, "caption": "x"}, "none.png does not exist"),
        ({"image_id": 4, "caption": " "}, "caption"),
        ({"image_id": 4, "caption": 5}, "caption"),
        ({"image_id": 4}, "caption"),
        ("x", "caption"),
    ],
)
def test_a_bad_annotation_names_its_number(desk: Any, annotation: Any, told: str, captions: str) -> None:
    desk.write("coco_captions")
    images = [
        {"id": 1, "file_name": "bild-ä1.png"},
        {"id": 2},
        {"id": 3, "file_name": "none.png"},
        {"id": 4, "file_name": "bild-ä4.png"},
        "text",
    ]
    good = {"image_id": 1, "caption": "good"}
    found = coco(desk, images, [good, annotation], captions=captions)
    assert len(found) == 2
    error = bad(found, 1)
    assert error.place == f"{desk.folder / 'c.json'}:annotations[1]"
    assert told in error.reason
    assert said_first(found) == "good"


def said_first(found: Any) -> str:
    text: str = found[0].messages[0].parts[0]
    return text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "not JSON"),
        ("[1]", "images and annotations"),
        ('{"images": [], "info": 1}', "images, info"),
        ('{"images": [], "annotations": []}', "no samples"),
        ('{"images": [], "annotations": [{"bbox": []}]}', "captions_"),
    ],
)
def test_files_that_are_not_of_coco(desk: Any, text: str, told: str) -> None:
    (desk.folder / "c.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=told) as caught:
        desk.open("coco_captions", path="c.json", task="text")
    assert "sources.mine" in str(caught.value)


# -- JourneyDB --------------------------------------------------------------------------------------------------------


def test_the_description_in_place_of_the_prompt(desk: Any) -> None:
    desk.write("journeydb")
    records: list[Any] = [
        {"img_path": "./bild-ä1.png", "prompt": "p", "Task2": {"Caption": "c"}},
        {"img_path": "./bild-ä2.png", "prompt": "p"},
        {"img_path": "./bild-ä2.png", "prompt": "p", "Task2": "none"},
    ]
    (desk.folder / "t.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    options = {"path": "t.jsonl", "images": "pictures", "task": "generation"}
    assert said(desk.open("journeydb", **options)) == ["p", "p", "p"]
    found = desk.open("journeydb", **options, caption_key="Task2.Caption")
    assert said_first(found) == "c"
    for i in (1, 2):
        error = bad(found, i)
        assert error.place == f"{desk.folder / 't.jsonl'}:{i + 1}" and "'Task2.Caption'" in error.reason


def test_a_caption_alone_needs_no_picture(desk: Any) -> None:
    (desk.folder / "t.jsonl").write_text('{"prompt": "p", "img_path": "none.png"}\n{"prompt": "q"}', encoding="utf-8")
    assert said(desk.open("journeydb", path="t.jsonl", task="text")) == ["p", "q"]
