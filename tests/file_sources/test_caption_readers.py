"""Every reader of captions: the same seven pictures in five formats give the same samples, in any order and process."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from torch.utils.data import DataLoader

from janus_core.config.choose import choose
from janus_core.config.recipe import ComponentChoice
from janus_core.errors import UserError
from janus_core.interfaces import Given, Sample, Target

FORMATS = ("webdataset", "parquet", "coco_captions", "journeydb", "class_folders")
RECIPES = Path(__file__).resolve().parents[2] / "docs" / "recipes.md"
COUNT = 7


def read(sample: Sample) -> tuple[Any, ...]:
    """A sample as plain values, pictures as their grey level."""
    parts = [
        (message.role, *(part if isinstance(part, str) else part.raw.getpixel((1, 1))[0] for part in message.parts))
        for message in sample.messages
    ]
    return (sample.id, sample.task, *parts)


def only(items: list[Any]) -> Any:
    (item,) = items
    return item


def test_all_formats_are_tried(desk: Any) -> None:
    assert desk.formats == FORMATS


@pytest.mark.parametrize("kind", FORMATS)
def test_generation(desk: Any, kind: str) -> None:
    found = desk.open(kind, **desk.write(kind), task="generation")
    assert len(found) == COUNT
    for i in range(COUNT):
        assert read(found[i])[1:] == ("generation", ("user", desk.caption(i)), ("assistant", 10 * i))
        assert isinstance(found[i].messages[1].parts[0], Target)
        assert found[i].messages[1].parts[0].raw.mode == "RGB"


@pytest.mark.parametrize("kind", FORMATS)
def test_understanding(desk: Any, kind: str) -> None:
    options = desk.write(kind)
    found = desk.open(kind, **options, task="understanding", route="eye")
    asked = () if kind == "class_folders" else ("\nDescribe the image in detail.",)
    for i in range(COUNT):
        assert read(found[i])[1:] == ("understanding", ("user", 10 * i, *asked), ("assistant", desk.caption(i)))
    given = found[0].messages[0].parts[0]
    assert isinstance(given, Given) and given.route == "eye"
    bare = desk.open(kind, **options, task="understanding", instruction="")
    assert read(bare[2])[2] == ("user", 20)
    asking = desk.open(kind, **options, task="understanding", instruction="What is it?")
    assert read(asking[2])[2] == ("user", 20, "\nWhat is it?")


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "class_folders"])
def test_text(desk: Any, kind: str) -> None:
    found = desk.open(kind, **desk.write(kind), task="text")
    assert [read(found[i])[1:] for i in range(COUNT)] == [("text", ("plain", desk.caption(i))) for i in range(COUNT)]


def test_classes_are_no_text(desk: Any) -> None:
    with pytest.raises(UserError, match="understanding"):
        desk.open("class_folders", **desk.write("class_folders"), task="text")


@pytest.mark.parametrize("kind", FORMATS)
def test_a_sample_is_the_same_at_any_time_and_in_any_process(desk: Any, kind: str) -> None:
    options = desk.write(kind)
    found = desk.open(kind, **options, task="generation")
    expected = [read(found[i]) for i in range(COUNT)]
    assert len({item[0] for item in expected}) == COUNT
    order = [6, 0, 3, 3, 5, 1, 4, 2, 0, 6]
    again = pickle.loads(pickle.dumps(found))  # a copy that has files open, as a spawned worker gets it
    later = desk.open(kind, **options, task="generation")
    for i in order:
        assert read(found[i]) == read(again[i]) == read(later[i]) == expected[i]
    assert read(found[-1]) == expected[-1]
    for beyond in (COUNT, -COUNT - 1):
        with pytest.raises(IndexError):
            found[beyond]
    # Forked workers, with the parent's files open; a run that resumes asks for the rest of the order only.
    loader: DataLoader[Sample] = DataLoader(
        found, batch_size=1, sampler=order, num_workers=2, collate_fn=only, multiprocessing_context="fork"
    )
    assert [read(sample) for sample in loader] == [expected[i] for i in order]
    rest: DataLoader[Sample] = DataLoader(later, batch_size=1, sampler=order[4:], collate_fn=only)
    assert [read(sample) for sample in rest] == [expected[i] for i in order[4:]]
    assert read(found[3]) == expected[3]  # and what the workers did leaves the parent's place in the files alone


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_missing_is_told_with_the_place(desk: Any, kind: str) -> None:
    with pytest.raises(UserError, match="none.* does not exist|none.* exist|do not exist.*none") as caught:
        desk.open(kind, path="none.file", task="generation")
    assert "sources.mine" in str(caught.value)
    assert str(desk.folder / "none.file") in str(caught.value)


def test_the_docs_show_options_that_there_are() -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", RECIPES.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    sources = [item for block in blocks for item in yaml.safe_load(block).get("sources", {}).values()]
    shown = {choose("data_source", ComponentChoice.model_validate(item), "docs").component.name for item in sources}
    assert shown >= {*FORMATS, "image_captions", "llava", "text_jsonl"}
