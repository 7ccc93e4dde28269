"""The matcher reads true pictures, forgives blur, and does not see drawings where there are none."""

from __future__ import annotations

import time

import numpy as np
import pytest
from PIL import Image as PillowImage

from janus_openmoji_scenes.matcher import UNREADABLE, read, score
from janus_openmoji_scenes.render import Image, render
from janus_openmoji_scenes.scene import OFFSETS, PLACES, Item, Scene, sample_scene
from janus_openmoji_scenes.score import Reading, total
from janus_openmoji_scenes.vocabulary import COLOURS, DRAWINGS


def test_true_pictures_are_read_exactly() -> None:
    scenes = [sample_scene(index, split=split) for index in range(150) for split in ("train", "test")]
    assert total(score(render(scene), scene) for scene in scenes).scene_accuracy == 1


def test_every_drawing_is_read_at_every_extreme_on_every_colour() -> None:
    extremes = (min(OFFSETS), max(OFFSETS))
    for entry in DRAWINGS:
        for index, colour in enumerate(COLOURS):
            item = Item(entry.name, PLACES[index], (extremes[index % 2], extremes[index // 2]))
            scene = Scene(colour.name, (item,))
            assert read(render(scene)) == Reading.of(scene)


def _blurred(picture: Image) -> Image:
    small = PillowImage.fromarray(picture).resize((26, 26), PillowImage.Resampling.BOX)
    noise = np.random.default_rng(0).normal(0, 6, picture.shape)
    large = np.asarray(small.resize((64, 64), PillowImage.Resampling.BILINEAR), dtype=np.float64)
    return np.asarray((large + noise).clip(0, 255), dtype=np.uint8)


def test_blur_and_noise_are_forgiven() -> None:
    scenes = [sample_scene(index, split="test") for index in range(150)]
    reached = total(score(_blurred(render(scene)), scene) for scene in scenes)
    assert reached.object_accuracy > 0.96 and reached.colour_accuracy == 1


def test_nothing_is_read_as_nothing_and_noise_as_unreadable() -> None:
    blank = np.full((64, 64, 3), COLOURS[1].rgb, dtype=np.uint8)
    assert read(blank) == Reading((None,) * 4, COLOURS[1].name)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    assert read(noise).places == (UNREADABLE,) * 4
    shuffled = [sample_scene(index) for index in range(100)]
    pairs = zip(shuffled, shuffled[1:], strict=False)
    assert total(score(render(other), scene) for scene, other in pairs).object_accuracy < 0.1


def test_a_picture_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\[64, 64, 3\] of uint8"):
        read(np.zeros((32, 32, 3), dtype=np.uint8))


def test_reading_is_fast() -> None:
    pictures = [render(sample_scene(index)) for index in range(60)]
    for picture in pictures:
        read(picture)
    started = time.process_time()
    for picture in pictures:
        read(picture)
    assert (time.process_time() - started) / len(pictures) < 0.01
