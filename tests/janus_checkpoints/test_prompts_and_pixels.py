"""Prompts token by token and pixels one by one, against transformers' processor and against the formula."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from janus_core.checkpoints.janus.text import SYSTEM
from janus_core.checkpoints.janus.write import export_checkpoint
from janus_core.checkpoints.own import load_checkpoint
from janus_core.config.recipe import ComponentChoice
from janus_core.data.images import load_image
from janus_core.interfaces import Given, Message


@pytest.fixture(scope="module")
def both(small_janus: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """(our built model, transformers' processor of the exported checkpoint)."""
    from transformers import AutoProcessor

    out = tmp_path_factory.mktemp("export") / "hf"
    export_checkpoint(small_janus.ours["deepseek"], out, "huggingface")
    return load_checkpoint(small_janus.ours["deepseek"])[0], AutoProcessor.from_pretrained(out)


def picture(size: tuple[int, int], seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def spelled(built: Any, prompt: Any) -> list[int]:
    """Our ids with the placeholder where features go."""
    ids = list(prompt.ids)
    for _, place in prompt.given:
        ids[place.start : place.start + place.length] = [built.text.id("<image_placeholder>")] * place.length
    return ids


IMAGE = {"type": "image"}
CASES: list[tuple[list[Any], list[Any]]] = [
    ([("user", ["what is this?"])], [("user", [{"type": "text", "text": "what is this?"}])]),
    ([("user", [0, "\nwhat?"])], [("user", [IMAGE, {"type": "text", "text": "what?"}])]),
    ([("user", [0, "\n", 1, "\ncompare"])], [("user", [IMAGE, IMAGE, {"type": "text", "text": "compare"}])]),
    (
        [("user", [0, "\nwhat?"]), ("assistant", ["a cat"]), ("user", ["where?"])],
        [
            ("user", [IMAGE, {"type": "text", "text": "what?"}]),
            ("assistant", [{"type": "text", "text": "a cat"}]),
            ("user", [{"type": "text", "text": "where?"}]),
        ],
    ),
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_prompts_are_token_for_token_those_of_transformers(both: tuple[Any, Any], case: int) -> None:
    built, processor = both
    ours, theirs = CASES[case]
    pictures = [picture((30, 20), seed) for seed in range(2)]
    messages = tuple(
        Message(role, tuple(Given("image", pictures[part]) if isinstance(part, int) else part for part in parts))
        for role, parts in ours
    )
    prompt = built.assembler.prompt(messages, "understanding")
    text = processor.apply_chat_template(
        [{"role": role, "content": content} for role, content in theirs], add_generation_prompt=True
    )
    images = pictures[: text.count("<image_placeholder>")] or None
    expected = processor(text=text, images=images, return_tensors="pt")
    assert spelled(built, prompt) == expected["input_ids"][0].tolist()


def test_the_layout_of_an_understanding_prompt(both: tuple[Any, Any]) -> None:
    built, _ = both
    asked = (Message("user", (Given("image", picture((9, 9))), "\nwhat?")),)
    prompt = built.assembler.prompt(asked, "understanding")
    text, tokens = built.text, built.model.code_layout.positions
    expected = [text.bos, *text.encode(f"{SYSTEM}\n\n<|User|>: "), text.begin("image")]
    expected += [text.id("<image_placeholder>")] * tokens
    expected += [text.end("image"), *text.encode("\nwhat?\n\n<|Assistant|>:")]
    assert spelled(built, prompt) == expected


def test_the_layout_of_a_generation_prompt(both: tuple[Any, Any]) -> None:
    built, processor = both
    prompt = built.assembler.prompt((Message("user", ("a cat",)),), "generation")
    text = built.text
    assert prompt.ids == [text.bos, *text.encode("<|User|>: a cat\n\n<|Assistant|>:"), text.begin("image")]
    asked = [{"role": "user", "content": [{"type": "text", "text": "a cat"}]}]
    template = processor.apply_chat_template(asked, add_generation_prompt=True)
    assert prompt.ids == processor(text=template, generation_mode="image", return_tensors="pt")["input_ids"][0].tolist()
    length = len(prompt.ids)
    built.assembler.drop_condition(prompt)
    assert prompt.ids == [text.bos, *[text.pad] * (length - 2), text.begin("image")]


SIZES = [(47, 47), (94, 60), (333, 500), (500, 333), (147, 10), (1, 700), (384, 384), (173, 307), (385, 2)]


def original_pixels(image: Image.Image, size: int) -> np.ndarray[Any, Any]:
    """``VLMImageProcessor`` of deepseek-ai/Janus, line by line, with torchvision's resize."""
    from torchvision.transforms import functional
    from torchvision.transforms.functional import InterpolationMode

    width, height = image.size
    longest = max(width, height)
    sides = [max(int(height / longest * size), 14), max(int(width / longest * size), 14)]
    image = functional.resize(image, sides, interpolation=InterpolationMode.BICUBIC, antialias=True)
    width, height = image.size
    square = Image.new("RGB", (max(image.size),) * 2, (127, 127, 127))
    square.paste(image, (0, (width - height) // 2) if width > height else ((height - width) // 2, 0))
    pixels = np.asarray(square, dtype=np.float64) * 0.00392156862745098
    return ((pixels - 0.5) / 0.5).transpose(2, 0, 1)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_understanding_pixels(size: tuple[int, int]) -> None:
    transform = understanding_transform()
    image = picture(size)
    ours = transform(image).inputs.numpy()
    assert ours.shape == (3, 384, 384)
    np.testing.assert_allclose(ours, original_pixels(image, 384), atol=1e-6)


def understanding_transform() -> Any:
    from janus_core.checkpoints.janus.architecture import Architecture, CodeSizes, LanguageSizes, VisionSizes, to_model
    from janus_core.config.choose import choose, load
    from janus_core.interfaces import BuildContext

    sizes = Architecture(
        language=LanguageSizes(),
        vision=VisionSizes(),
        codes=CodeSizes(),
        adapter_depth=2,
        generation_adapter_depth=2,
        head_width=4096,
        image_size=384,
    )
    choice: ComponentChoice = to_model(sizes, (0.5,) * 3, (0.5,) * 3).encoders["image"]  # type: ignore[arg-type]
    chosen = choose("understanding_encoder", choice, "encoder")
    return load(chosen.component, chosen.component.spec.transform)(chosen.options, BuildContext())


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16"])
def test_any_mode(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("picture.tif" if mode == "CMYK" else "picture.png")
    if mode == "I;16":
        Image.fromarray(np.full((8, 12), 32896, dtype=np.uint16)).save(path)
    else:
        Image.new("RGB", (12, 8), (128, 128, 128)).convert(mode).save(path)
    pixels = understanding_transform()(load_image(path)).inputs
    assert pixels.shape == (3, 384, 384)
    assert torch.isfinite(pixels).all()
    if mode != "1":
        assert abs(pixels[0, 192, 192].item()) < 0.05


def test_orientation_is_applied() -> None:
    image = picture((40, 20))
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    image.save(file, "PNG", exif=exif)
    upright = load_image(file.getvalue())
    assert upright.size == (20, 40)
    assert upright.tobytes() == image.transpose(Image.Transpose.ROTATE_270).tobytes()


@pytest.mark.parametrize("size", [(47, 94), (500, 333), (384, 384), (20, 300)], ids=str)
def test_generation_pixels(both: tuple[Any, Any], size: tuple[int, int]) -> None:
    """Short side to S, centre crop, [-1, 1]; never padded."""
    transform = both[0].target_transform
    side, image = transform.image_size, picture(size)
    short = min(size)
    full = tuple(max(side, int(length * side / short)) for length in size)
    resized = image.resize(full, Image.Resampling.BICUBIC)
    left, top = (round((length - side) / 2) for length in full)
    expected = np.asarray(resized.crop((left, top, left + side, top + side)), dtype=np.float32) / 127.5 - 1
    ours = transform(image).inputs.permute(1, 2, 0).numpy()
    assert ours.shape == (side, side, 3)
    assert np.abs(ours - expected).mean() < 0.02
