"""The detectors and colour classifiers on tiny random models, and the files of detections."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from janus_bench.detectors.classes import CLASSES
from janus_bench.detectors.interface import COLOURS, Detection
from janus_bench.detectors.records import header, line, read_detections
from janus_bench.detectors.stand_in import PALETTE, NearestColour, ShapeDetector
from janus_core.errors import UserError


def test_detections_survive_their_file(tmp_path: Path) -> None:
    found = [Detection("dog", (1.0, 2.0, 3.5, 4.0), 0.5, "red"), Detection("cat", (0.0, 0.0, 1.0, 1.0), 0.25)]
    path = tmp_path / "detections.jsonl"
    path.write_text(header("a", "b", "why") + line("0/samples/0.png", found) + line("0/samples/1.png", []))
    read = read_detections(path)
    assert read.objects == {"0/samples/0.png": found, "0/samples/1.png": []}
    assert (read.detector, read.colour_classifier, read.stand_in) == ("a", "b", "why")
    path.write_text('{"objects": []}\n')
    with pytest.raises(UserError, match="names no image"):
        read_detections(path)


def test_the_stand_in_sees_shapes_and_colours() -> None:
    for colour, shade in PALETTE.items():
        image = Image.new("RGB", (80, 40), "gray")
        draw = ImageDraw.Draw(image)
        draw.ellipse((4, 4, 30, 30), fill=shade)
        draw.rectangle((44, 6, 70, 30), fill=PALETTE["red"])
        found = sorted(ShapeDetector().detect(image), key=lambda each: each.box)
        assert [each.label for each in found] == ["sports ball", "book"]
        assert found[1].box == (44, 6, 71, 31)
        assert NearestColour().classify(image, found) == [colour, "red"]


@pytest.fixture(scope="module")
def mask2former(tmp_path_factory: pytest.TempPathFactory) -> Path:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    backbone = transformers.SwinConfig(
        image_size=32, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=4
    )
    backbone.out_features = ["stage1", "stage2", "stage3", "stage4"]
    sizes = {"feature_size": 32, "mask_feature_size": 32, "hidden_dim": 32, "encoder_feedforward_dim": 16}
    config = transformers.Mask2FormerConfig(
        backbone_config=backbone,
        dim_feedforward=16,
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=2,
        num_queries=7,
        **sizes,
    )
    model = transformers.Mask2FormerModel(config)
    folder = tmp_path_factory.mktemp("mask2former")
    from safetensors.torch import save_file

    config.save_pretrained(folder)
    state = {f"model.{name}": value.contiguous() for name, value in model.state_dict().items()}
    head = torch.nn.Linear(32, 81)
    state |= {f"class_predictor.{name}": value.clone() for name, value in head.state_dict().items()}
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    return folder


@pytest.mark.slow  # transformers takes long to import
def test_mask2former_finds_coco_classes_with_masks_in_the_size_of_the_picture(
    mask2former: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from janus_bench.detectors import mask2former as module

    monkeypatch.setattr(module, "SHORT", 64)
    detector = module.Mask2FormerDetector(mask2former)
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    found = detector.detect(Image.fromarray(noise))
    assert len(found) == 100 and {each.label for each in found} <= set(CLASSES)
    assert detector.id.startswith("mask2former-") and not detector.stand_in
    for each in found:
        assert each.mask.shape == (40, 50) and 0 <= each.score <= 1
        rows, columns = np.nonzero(each.mask)
        if len(rows):
            assert each.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    again = module.Mask2FormerDetector(mask2former).detect(Image.fromarray(noise))
    assert [each.score for each in again] == [each.score for each in found]


def test_an_object_is_as_certain_as_its_class_and_its_mask() -> None:
    from janus_bench.detectors.mask2former import objects

    logits = torch.full((2, 81), -20.0)
    logits[0, 16], logits[1, 80] = 20.0, 20.0
    masks = torch.full((2, 8, 8), -9.0)
    masks[0, 2:4, 3:7] = 0.5
    best = max(objects(logits, masks), key=lambda each: each.score)
    assert (best.label, best.box) == ("dog", (3, 2, 7, 4))
    assert best.score == pytest.approx(1 / (1 + np.exp(-0.5)), abs=1e-6)


@pytest.mark.slow  # transformers takes long to import
def test_wrong_mask2former_weights_are_refused(mask2former: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    from janus_bench.detectors.mask2former import Mask2FormerDetector

    with pytest.raises(UserError, match="cannot be read"):
        Mask2FormerDetector(tmp_path)
    state = load_file(mask2former / "model.safetensors")
    (tmp_path / "config.json").write_bytes((mask2former / "config.json").read_bytes())
    lacking = {name: value for name, value in state.items() if "level_embed" not in name}
    save_file(lacking, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match="level_embed"):
        Mask2FormerDetector(tmp_path)
    state["class_predictor.weight"], state["class_predictor.bias"] = torch.zeros(11, 32), torch.zeros(11)
    save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match="80 classes, it has 10"):
        Mask2FormerDetector(tmp_path)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import open_clip

    folder = tmp_path_factory.mktemp("clip")
    text = {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
    vision = {"image_size": 32, "layers": 1, "width": 16, "patch_size": 16, "head_width": 8}
    config: dict[str, Any] = {"embed_dim": 16, "quick_gelu": True, "vision_cfg": vision, "text_cfg": text}
    (folder / "tiny-clip.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder)
    torch.manual_seed(0)
    torch.save(open_clip.create_model("tiny-clip").state_dict(), folder / "weights.pt")
    return folder / "weights.pt"


def test_clip_takes_the_colour_whose_mean_sentence_is_nearest(clip: Path) -> None:
    import open_clip

    from janus_bench.detectors.clip_colours import ClipColours, cut_out

    mask = np.zeros((40, 40), bool)
    mask[5:20, 5:20] = True
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8))
    found = [Detection("dog", (4.0, 4.0, 22.0, 22.0), 0.9, mask=mask), Detection("dog", (0.0, 0.0, 40.0, 40.0), 0.8)]
    colours = ClipColours("tiny-clip", clip)
    assert colours.id.startswith("clip-tiny-clip-")
    model, _, transform = open_clip.create_model_and_transforms("tiny-clip", pretrained=str(clip))
    model.eval()
    means = []
    with torch.no_grad():
        for colour in COLOURS:
            words = [
                f"a photo of a {colour} dog",
                f"a photo of a {colour}-colored dog",
                f"a photo of a {colour} object",
            ]
            ways = torch.nn.functional.normalize(model.encode_text(open_clip.get_tokenizer("tiny-clip")(words)), dim=-1)
            means.append(torch.nn.functional.normalize(ways.mean(0), dim=0))
        cut = [cut_out(image, each) for each in found]
        seen = [model.encode_image(transform(each)[None])[0] for each in cut]
        expected = [COLOURS[int((torch.stack(means) @ each).argmax())] for each in seen]
    assert colours.classify(image, found) == expected
    assert cut[0].size == (18, 18) and cut[0].getpixel((0, 0)) == (0x99,) * 3
    assert cut[0].getpixel((1, 1)) == image.getpixel((5, 5)) and cut[1].tobytes() == image.tobytes()


def test_clip_weights_that_cannot_be_loaded_are_told(clip: Path, tmp_path: Path) -> None:
    from janus_bench.detectors.clip_colours import ClipColours

    with pytest.raises(UserError, match="cannot be read"):
        ClipColours("tiny-clip", tmp_path / "none.pt")
    with pytest.raises(UserError, match="cannot be loaded"):
        ClipColours("no-such-model", clip)
