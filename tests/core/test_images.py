"""Image files of any kind -> what a person would see, or an error that says what is wrong."""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from janus_core.data.images import MAX_PIXELS, ImageError, load_image

WHITE, RED, GREEN = (255, 255, 255), (255, 0, 0), (0, 255, 0)


def saved(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)
    return path


def png(width: int, height: int, depth: int, colour: int, pixels: bytes = b"") -> bytes:
    """A PNG by hand: Pillow can neither write 16-bit RGB nor lie about the size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparency_shows_white(tmp_path: Path, mode: str) -> None:
    layered = Image.new("RGBA", (2, 1), (255, 0, 0, 0))  # red, but invisible
    layered.putpixel((1, 0), (0, 0, 0, 255))
    if mode == "PA":
        found = load_image(saved(layered.convert("RGB").convert("P"), tmp_path / "a.png", transparency=0))
        assert found.mode == "RGB"
        assert WHITE in [found.getpixel((x, 0)) for x in range(2)]
        return
    found = load_image(saved(layered.convert(mode), tmp_path / "a.png"))
    assert found.mode == "RGB"
    assert [found.getpixel((x, 0)) for x in range(2)] == [WHITE, (0, 0, 0)]


def test_half_transparency_is_mixed_with_white(tmp_path: Path) -> None:
    found = load_image(saved(Image.new("RGBA", (1, 1), (255, 0, 0, 128)), tmp_path / "a.png"))
    assert found.getpixel((0, 0)) == (255, 127, 127)


def test_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *GREEN])
    image.putpixel((1, 0), 1)
    for suffix in ("png", "gif"):
        found = load_image(saved(image, tmp_path / f"a.{suffix}", transparency=0))
        assert [found.getpixel((x, 0)) for x in range(2)] == [WHITE, GREEN], suffix


def test_rgb_png_with_a_transparent_colour(tmp_path: Path) -> None:
    image = Image.new("RGB", (2, 1), RED)
    image.putpixel((1, 0), GREEN)
    found = load_image(saved(image, tmp_path / "a.png", transparency=RED))
    assert [found.getpixel((x, 0)) for x in range(2)] == [WHITE, GREEN]


def test_cmyk_jpeg(tmp_path: Path) -> None:
    found = load_image(saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), tmp_path / "a.jpg", quality=95))
    assert found.mode == "RGB"
    assert np.abs(np.asarray(found, dtype=int) - RED).max() <= 12


@pytest.mark.parametrize("mode", ["1", "L", "HSV", "YCbCr", "LAB"])
def test_other_modes_become_rgb(mode: str) -> None:
    from janus_core.data.images import to_rgb

    found = to_rgb(Image.new("RGB", (3, 2), "white").convert(mode) if mode != "LAB" else Image.new("LAB", (3, 2)))
    assert (found.mode, found.size) == ("RGB", (3, 2))


def test_16_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    values = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    found = load_image(saved(Image.fromarray(values), tmp_path / "a.png"))
    assert np.asarray(found)[0, :, 0].tolist() == [0, 1, 128, 255]


def test_a_dark_16_bit_picture_stays_dark(tmp_path: Path) -> None:
    values = np.full((2, 2), 250, dtype=np.uint16)  # 0.4 % of white
    found = load_image(saved(Image.fromarray(values), tmp_path / "a.png"))
    assert np.asarray(found).max() <= 1


def test_16_bit_rgb() -> None:
    pixels = b"\x00" + struct.pack(">6H", 65535, 0, 32896, 0, 65535, 0)
    found = load_image(png(2, 1, 16, 2, pixels))
    assert [found.getpixel((x, 0)) for x in range(2)] == [(255, 0, 128), GREEN]


def test_the_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, GREEN)]
    for suffix in ("gif", "webp", "png"):
        options = {"lossless": True} if suffix == "webp" else {}
        path = tmp_path / f"a.{suffix}"
        frames[0].save(path, save_all=True, append_images=frames[1:], **options)
        assert load_image(path).getpixel((0, 0)) == RED, suffix


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, orientation: int) -> None:
    """The red corner is put where the camera would have stored it: it must come out at the top left."""
    upright = np.zeros((16, 32, 3), dtype=np.uint8)
    upright[:8, :8] = RED
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright.transpose(1, 0, 2)[::-1, ::-1],
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(Image.fromarray(np.ascontiguousarray(stored)), tmp_path / "a.png", exif=exif)
    found = load_image(path)
    assert found.size == (32, 16)
    assert np.array_equal(np.asarray(found), upright)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
def test_sides_of_one_pixel(tmp_path: Path, size: tuple[int, int]) -> None:
    found = load_image(saved(Image.new("RGB", size, RED), tmp_path / "a.png"))
    assert found.size == size
    assert found.getpixel((0, 0)) == RED


def test_text_named_png(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("hello", encoding="utf-8")
    with pytest.raises(ImageError, match=r"a\.png is not an image"):
        load_image(tmp_path / "a.png")


def test_empty_missing_and_folder(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(ImageError, match="not an image"):
        load_image(tmp_path / "a.png")
    with pytest.raises(ImageError, match=r"none\.png does not exist"):
        load_image(tmp_path / "none.png")
    with pytest.raises(ImageError, match="cannot be read"):
        load_image(tmp_path)


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "webp", "bmp", "tiff"])
def test_a_truncated_file_is_an_image_error_wherever_it_ends(tmp_path: Path, suffix: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    path = saved(Image.fromarray(pixels), tmp_path / f"a.{suffix}")
    data = path.read_bytes()
    refused = 0
    for end in range(0, len(data) - 8, max(1, len(data) // 60)):
        try:
            assert load_image(data[:end]).mode == "RGB"
        except ImageError:
            refused += 1
    assert refused > 20
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError, match=rf"a\.{suffix} "):
        load_image(path)


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "webp", "tiff"])
def test_a_corrupted_file_is_an_image_or_an_image_error(suffix: str) -> None:
    generator = np.random.default_rng(1)
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(generator.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(
        buffer,
        {"jpg": "JPEG", "tiff": "TIFF"}.get(suffix, suffix.upper()),
        **({} if suffix == "gif" else {"exif": exif}),
    )
    seen = 0
    for _ in range(150):
        data = bytearray(buffer.getvalue())
        for at in generator.integers(2, min(len(data), 400), 3):
            data[at] = generator.integers(0, 256)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with contextlib.suppress(ImageError):
                assert load_image(bytes(data), max_pixels=10**6).mode == "RGB"
        seen += 1
    assert seen == 150


@pytest.mark.parametrize("side", [8_001, 12_000, 60_000])
def test_too_large_is_refused_before_it_is_decoded(side: int) -> None:
    """The header declares the size, the data are a few bytes: decoding them would say "damaged" instead."""
    assert side * side > MAX_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Pillow's own warning must not reach a user either
        with pytest.raises(ImageError, match="too large") as caught:
            load_image(png(side, side, 8, 2, b"\x00"))
    assert f"{MAX_PIXELS:,}" in str(caught.value)


def test_the_limit_can_be_set(tmp_path: Path) -> None:
    path = saved(Image.new("RGB", (20, 20)), tmp_path / "a.png")
    assert load_image(path, max_pixels=400).size == (20, 20)
    with pytest.raises(ImageError, match=r"a\.png is too large: 20 x 20"):
        load_image(path, max_pixels=399)
