"""Pixels agree with the libraries and formulas that the checkpoints were trained with."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from open_clip.transform import image_transform
from PIL import Image

from janus_open_clip.facts import CLIP, HALF, Preprocessing
from janus_open_clip.preprocess import ImageTransform

SIZES = [
    (67, 64),
    (64, 71),
    (500, 333),
    (333, 500),
    (47, 94),
    (94, 47),
    (47, 47),
    (384, 384),
    (1, 300),
    (300, 1),
    (1, 1),
    (640, 479),
]


def picture(width: int, height: int) -> Image.Image:
    """Smooth waves with noise, different in every channel."""
    rng = np.random.default_rng(width * 1000 + height)
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 100 * np.sin(x / (7 + c) + y / (11 - c)) for c in range(3)]
    noisy = np.stack(waves, -1) + rng.normal(0, 20, (height, width, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def transform(facts: Preprocessing, size: int, resize: str) -> ImageTransform:
    return ImageTransform.of(facts, size=size, num_tokens=16, resize=resize)  # type: ignore[arg-type]


@pytest.mark.parametrize("facts", [HALF, CLIP])
@pytest.mark.parametrize("side", SIZES)
def test_squash_and_shortest_are_open_clips(facts: Preprocessing, side: tuple[int, int]) -> None:
    image = picture(*side)
    for resize in ("squash", "shortest"):
        if resize == "shortest" and max(side) > 16 * min(side):
            continue
        reference = image_transform(
            64, is_train=False, mean=facts.mean, std=facts.std, resize_mode=resize, interpolation=facts.interpolation
        )(image)
        ours = transform(facts, 64, resize)(image).inputs
        assert ours.dtype == torch.float32
        assert torch.equal(ours, reference), resize


def janus(image: Image.Image, size: int) -> np.ndarray:
    """The formula of Janus' VLMImageProcessor (janus.md §1.7), written with arrays."""
    width, height = image.size
    longer = max(width, height)
    new = (max(int(width / longer * size), 14), max(int(height / longer * size), 14))
    pixels = np.asarray(image.resize(new, Image.Resampling.BICUBIC))
    square = np.full((size, size, 3), 127, np.uint8)
    left, top = (size - new[0]) // 2, (size - new[1]) // 2
    square[top : top + new[1], left : left + new[0]] = pixels
    return ((square / 255 - 0.5) / 0.5).transpose(2, 0, 1)


@pytest.mark.parametrize("side", SIZES)
@pytest.mark.parametrize("size", [47, 94, 384])
def test_pad_is_janus(side: tuple[int, int], size: int) -> None:
    image = picture(*side)
    ours = transform(HALF, size, "pad")(image).inputs.numpy()
    assert ours.shape == (3, size, size)
    np.testing.assert_allclose(ours, janus(image, size), atol=2e-6)


def test_golden_values_of_the_janus_pad() -> None:
    """Values written down once: 333 x 500 -> 255 columns of picture (int(333 / 500 * 384)), 64 of grey at the left."""
    inputs = transform(HALF, 384, "pad")(picture(333, 500)).inputs
    grey = (127 / 255 - 0.5) / 0.5
    columns = (inputs - grey).abs().amax(dim=(0, 1)) > 1e-6
    assert columns.nonzero().flatten()[[0, -1]].tolist() == [64, 318]
    assert inputs[0, 0, 0].item() == pytest.approx(-0.00392157, abs=1e-7)
    wide = transform(HALF, 94, "pad")(picture(300, 1)).inputs
    rows = (wide - grey).abs().amax(dim=(0, 2)) > 1e-6
    assert rows.nonzero().flatten()[[0, -1]].tolist() == [40, 53], "14 rows at least, centred"
    clip = transform(CLIP, 64, "pad")(picture(64, 16)).inputs
    expected = [(v / 255 - m) / s for v, m, s in zip((122, 116, 104), CLIP.mean, CLIP.std, strict=True)]
    assert clip[:, 0, 0].tolist() == pytest.approx(expected, abs=1e-6)


def test_pad_is_the_processor_of_transformers_where_that_rounds_alike() -> None:
    """transformers 5.23.0 rounds the short side (333 / 500 * 64 = 42.6 -> 43) where the original cuts (42)."""
    pil = pytest.importorskip("transformers.models.janus.image_processing_pil_janus")
    processor = pil.JanusImageProcessorPil(
        size={"height": 64, "width": 64},
        min_size=14,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        background_color=[127] * 3,
    )
    for side in [(500, 250), (47, 94), (64, 64), (300, 1), (500, 330)]:
        image = picture(*side)
        theirs = torch.as_tensor(np.asarray(processor(image, return_tensors="pt")["pixel_values"][0]))
        ours = transform(HALF, 64, "pad")(image).inputs
        assert (ours - theirs).abs().max() < 1e-6, side


def test_extreme_pictures_cost_no_memory_and_give_pixels() -> None:
    for side in [(1, 5000), (5000, 1), (2, 3000)]:
        for resize in ("squash", "shortest", "pad"):
            inputs = transform(CLIP, 64, resize)(picture(*side)).inputs
            assert inputs.shape == (3, 64, 64)
            assert inputs.isfinite().all()


def test_digest_follows_every_field_and_survives_pickling() -> None:
    first = transform(HALF, 64, "squash")
    others = [
        transform(HALF, 96, "squash"),
        transform(HALF, 64, "pad"),
        transform(CLIP, 64, "squash"),
        ImageTransform.of(HALF, size=64, num_tokens=4, resize="squash"),
    ]
    assert len({first.digest, *(other.digest for other in others)}) == 5
    again = pickle.loads(pickle.dumps(first))
    assert again == first
    assert again.digest == transform(HALF, 64, "squash").digest
    image = picture(50, 70)
    assert torch.equal(again(image).inputs, first(image).inputs)
    batch = first.collate([first(image), first(picture(3, 5))])
    assert batch.shape == (2, 3, 64, 64)


@pytest.mark.parametrize("mode", ["RGBA", "L", "P", "LA", "CMYK"])
def test_other_modes_are_refused_with_the_remedy(mode: str) -> None:
    with pytest.raises(ValueError, match=rf"mode {mode}.*convert"):
        transform(HALF, 64, "squash")(Image.new(mode, (8, 8)))


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="PIL image, got ndarray"):
        transform(HALF, 64, "squash")(np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(ValueError, match="empty: 0 x 5"):
        transform(HALF, 64, "squash")(Image.new("RGB", (0, 5)))
