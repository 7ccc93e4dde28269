"""The data set is a pure function of its keys, its split leaks nothing, and its words agree with its records."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import Counter
from typing import get_args

import numpy as np
import pytest

from janus_openmoji_scenes import vocabulary
from janus_openmoji_scenes.attribution import attribution
from janus_openmoji_scenes.baselines import accuracy_by_kind, chance_answer, majority_answers, nearest_score
from janus_openmoji_scenes.language import KINDS, Question, answers, ask, caption, questions
from janus_openmoji_scenes.render import raster, render
from janus_openmoji_scenes.scene import IMAGE_SIZE, Item, Scene, place_origin, sample_scene
from janus_openmoji_scenes.score import Reading, compare
from janus_openmoji_scenes.split import Split, held_out_combinations, scene_combinations
from janus_openmoji_scenes.vocabulary import COLOURS, DRAWINGS, Drawing, check_vocabulary

SPLITS: tuple[Split, ...] = get_args(Split)
TWO = Scene("blue", (Item("apple", "top left", (3, 5)), Item("key", "bottom right", (5, 3))))

DIGEST = """
import hashlib
from janus_openmoji_scenes.render import render
from janus_openmoji_scenes.scene import sample_scene
print(hashlib.sha256(b"".join(render(sample_scene(i, seed=7)).tobytes() for i in range(8))).hexdigest())
"""


def test_every_name_exists() -> None:
    check_vocabulary()
    assert len(DRAWINGS) >= 24 and len(COLOURS) >= 4
    for entry in DRAWINGS:
        assert raster(entry.name)[..., 3].max() == 255


def test_a_wrong_name_is_reported_with_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "DRAWINGS", (Drawing("apple", "1F34C", "red apple"),))
    with pytest.raises(ValueError, match=r"apple: 1F34C is 'banana', expected 'red apple'"):
        check_vocabulary.__wrapped__()
    with pytest.raises(KeyError, match="no colour called 'teal'; known: blue"):
        vocabulary.colour("teal")


def test_a_scene_depends_on_its_key_alone() -> None:
    forward = [sample_scene(i, seed=3) for i in range(30)]
    backward = [sample_scene(i, seed=3) for i in reversed(range(30))][::-1]
    assert forward == backward
    assert forward != [sample_scene(i, seed=4) for i in range(30)]
    assert len(set(forward)) == 30


def test_pixels_are_the_same_in_another_process_and_order() -> None:
    pictures = [render(sample_scene(i, seed=7)).tobytes() for i in reversed(range(8))][::-1]
    here = hashlib.sha256(b"".join(pictures)).hexdigest()
    there = subprocess.run([sys.executable, "-c", DIGEST], capture_output=True, text=True, check=True, timeout=60)
    assert there.stdout.strip() == here


def test_no_torch_is_imported() -> None:
    imports = "import sys, janus_openmoji_scenes.matcher, janus_openmoji_scenes.baselines"
    code = f"{DIGEST}{imports}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, stdout=subprocess.DEVNULL)


def test_split_is_by_combination_and_trains_every_word() -> None:
    held_out = held_out_combinations()
    total = len(DRAWINGS) * len(COLOURS) + len(DRAWINGS) * (len(DRAWINGS) - 1) // 2
    assert abs(len(held_out) / total - 0.2) < 0.005
    seen = {split: Counter[str]() for split in SPLITS}
    for split in SPLITS:
        for index in range(1500):
            scene = sample_scene(index, split=split)
            unseen = held_out.intersection(scene_combinations(scene.background, scene.drawings))
            assert bool(unseen) == (split == "test")
            seen[split].update([*scene.drawings, scene.background, *(item.place for item in scene.items)])
    for split in SPLITS:
        assert {entry.name for entry in (*DRAWINGS, *COLOURS)} <= set(seen[split])
    trained_on = Counter(name for name, other in held_out if other in {entry.name for entry in COLOURS})
    assert max(trained_on.values()) == 1, "a drawing misses more than one colour in training"


def test_numbers_of_objects_are_even_and_drawings_stand_off_the_code_grid() -> None:
    for split in SPLITS:
        scenes = [sample_scene(index, split=split, seed=1) for index in range(900)]
        counts = Counter(len(scene.items) for scene in scenes)
        assert set(counts) == {1, 2, 3} and min(counts.values()) > 240
        for scene in scenes:
            assert len(set(scene.drawings)) == len(scene.items) == len({item.place for item in scene.items})
            for item in scene.items:
                corner = np.add(place_origin(item.place), item.offset)
                assert (corner % 8 != 0).all() and (corner + 24 <= IMAGE_SIZE).all()
    assert {len(sample_scene(index, counts=(1,)).items) for index in range(50)} == {1}


@pytest.mark.parametrize("counts", [(), (0,), (4,)])
def test_wrong_counts_are_refused_with_the_allowed_ones(counts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="from 1 to 3"):
        sample_scene(0, counts=counts)
    with pytest.raises(ValueError, match="index is -1"):
        sample_scene(-1)


def test_caption_names_objects_in_raster_order() -> None:
    assert caption(TWO) == "an apple at the top left and a key at the bottom right on a blue background"
    three = Scene("pink", (Item("cat", "top left", (3, 3)), Item("owl", "top right", (3, 3)), TWO.items[1]))
    assert caption(three).startswith("a cat at the top left, an owl at the top right and a key at the bottom right on")
    assert len({caption(scene) for scene in map(sample_scene, range(300))}) > 280


def test_answers_follow_from_the_scene() -> None:
    for scene in map(sample_scene, range(300)):
        what, how_many, where, colour, is_there = questions(scene, key="t")
        assert scene.at(what.text.removeprefix("what is at the ").rstrip("?")) == what.answer  # type: ignore[arg-type]
        assert ["one", "two", "three"].index(how_many.answer) + 1 == len(scene.items)
        assert scene.at(where.answer) == where.text.removeprefix("where is the ").rstrip("?")  # type: ignore[arg-type]
        assert colour.answer == scene.background
        assert (is_there.text.rstrip("?").split()[-1] in scene.drawings) == (is_there.answer == "yes")
        assert all(question.answer in answers(question.kind) for question in questions(scene))


def test_yes_and_no_are_balanced_and_keyed() -> None:
    asked = [ask(scene, "is there", 0) for scene in map(sample_scene, range(1000))]
    assert 450 < sum(question.answer == "yes" for question in asked) < 550
    assert asked == [ask(scene, "is there", 0) for scene in map(sample_scene, range(1000))]
    assert asked != [ask(scene, "is there", 1) for scene in map(sample_scene, range(1000))]


def test_baselines_stay_low() -> None:
    train = [sample_scene(index) for index in range(300)]
    test = [sample_scene(index, split="test") for index in range(60)]
    known = majority_answers(question for scene in train for question in questions(scene))
    asked = [question for scene in test for question in questions(scene)]
    reached = accuracy_by_kind(asked, [known[question.kind] for question in asked])
    assert set(reached) == set(KINDS)
    for kind in KINDS:
        assert reached[kind] < chance_answer(kind) + 0.25
    assert 0 < nearest_score(test, train).object_accuracy < 0.9
    with pytest.raises(ValueError, match="one answer a question"):
        accuracy_by_kind(asked, [])
    assert majority_answers([Question("what", "", "b"), Question("what", "", "a")]) == {"what": "a"}


def test_score_counts_objects_places_colour_and_scene() -> None:
    half = compare(Reading(("apple", None, None, "?"), "green"), TWO)
    assert (half.objects_right, half.objects, half.places_right, half.colours_right, half.scenes_right) == (
        1,
        2,
        3,
        0,
        0,
    )
    assert compare(Reading.of(TWO), TWO).scene_accuracy == 1


def test_attribution_names_maker_and_licence() -> None:
    assert "OpenMoji" in attribution() and "CC BY-SA 4.0" in attribution()
