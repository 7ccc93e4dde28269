"""The transform: any size, exact geometry and range, picklable, digest."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from janus_conv_vq.pixels import PixelTransform, grid_side, transform
from janus_core.interfaces import BuildContext


def picture(width: int, height: int) -> Image.Image:
    noise = np.random.default_rng(width * 1000 + height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def two_steps(image: Image.Image, side: int) -> torch.Tensor:
    width, height = image.size
    short = min(width, height)
    full = [max(side, int(length * side / short)) for length in (width, height)]
    image = image.resize((full[0], full[1]), Image.Resampling.BICUBIC)
    left, top = (round((length - side) / 2) for length in full)
    cropped = np.asarray(image.crop((left, top, left + side, top + side)), dtype=np.float32)
    return torch.from_numpy(cropped).permute(2, 0, 1) / 127.5 - 1


@pytest.mark.parametrize(
    "size", [(64, 64), (100, 64), (33, 71), (640, 321), (20, 30), (7, 5), (1, 1), (1, 40), (40, 1)]
)
def test_equals_resize_then_crop_by_pillow(size: tuple[int, int]) -> None:
    prepared = PixelTransform(32, 8)(picture(*size))
    assert prepared.num_tokens == 16
    assert prepared.inputs.shape == (3, 32, 32)
    assert prepared.inputs.dtype == torch.float32
    assert prepared.inputs.min() >= -1
    assert prepared.inputs.max() <= 1
    difference = (prepared.inputs - two_steps(picture(*size), 32)).abs().max()
    assert difference < 1.01 / 127.5  # one grey level, from rounding of the box


def test_a_one_pixel_side_makes_no_huge_picture() -> None:
    assert PixelTransform(64, 8)(Image.new("RGB", (1, 30_000), "red")).inputs.shape == (3, 64, 64)


def test_black_and_white_are_the_ends_of_the_range() -> None:
    assert PixelTransform(16, 8)(Image.new("RGB", (9, 9), "black")).inputs.unique().tolist() == [-1]
    assert PixelTransform(16, 8)(Image.new("RGB", (9, 9), "white")).inputs.unique().tolist() == [1]


def test_pickle_digest_and_collate() -> None:
    made = PixelTransform(32, 8)
    again = pickle.loads(pickle.dumps(made))
    assert again == made
    assert again.digest == made.digest
    assert len({PixelTransform(size, factor).digest for size, factor in ((32, 8), (64, 8), (32, 16))}) == 3
    batch = made.collate([made(picture(40, 50)), made(picture(9, 9))])
    assert batch.shape == (2, 3, 32, 32)


@pytest.mark.parametrize("raw", ["a.png", Image.new("RGBA", (4, 4)), Image.new("L", (4, 4)), None])
def test_other_input_is_refused_with_the_remedy(raw: object) -> None:
    with pytest.raises(ValueError, match="RGB"):
        PixelTransform(16, 8)(raw)


@pytest.mark.parametrize(("size", "allowed"), [(250, ("240", "256")), (5, ("16", "32")), (0, ("16",))])
def test_sizes_that_do_not_divide(size: int, allowed: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=str(size)) as caught:
        grid_side(size, 16)
    assert all(number in str(caught.value) for number in allowed)


def test_context_must_give_a_size() -> None:
    with pytest.raises(ValueError, match="image_size"):
        transform(8, BuildContext())
    assert transform(8, BuildContext(image_size=64)) == PixelTransform(64, 8)
