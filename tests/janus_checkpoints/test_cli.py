"""Imported models through the commands: answer, draw, inpaint, info."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from janus_core.checkpoints.own import load_checkpoint
from janus_core.cli import main
from janus_core.inference.session import Session
from janus_core.interfaces import Given, Message


@pytest.fixture(params=["huggingface", "deepseek"])
def model(request: pytest.FixtureRequest, small_janus: Any) -> Path:
    return Path(small_janus.ours[request.param])


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, seed in (("a.png", 1), ("b.png", 2)):
        pixels = np.random.default_rng(seed).integers(0, 256, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main(list(words)) == 0
    return capsys.readouterr().out


def expected(model: Path, messages: list[Message]) -> str:
    built, recipe, facts = load_checkpoint(model)
    return Session(built, recipe.name, facts).answer([messages], max_new_tokens=5)[0]


def test_answers(model: Path, desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = ["--model", str(model), "--max-new-tokens", "5", "--temperature", "0"]
    a, b = (Image.open(desk / name) for name in ("a.png", "b.png"))
    one = Message("user", (Given("image", a), "\n", "what?"))
    first = expected(model, [one])
    assert said(capsys, "answer", "a.png", "what?", *short).rstrip("\n") == printable(first)
    text = expected(model, [Message("user", ("hello",))])
    assert said(capsys, "answer", "hello", *short).rstrip("\n") == printable(text)
    two = expected(model, [Message("user", (Given("image", a), "\n", Given("image", b), "\n", "compare"))])
    assert said(capsys, "answer", "a.png", "compare", "--image", "b.png", *short).rstrip("\n") == printable(two)
    second = expected(model, [one, Message("assistant", (first,)), Message("user", ("where?",))])
    both = said(capsys, "answer", "a.png", "what?", "--then", "where?", *short)
    assert both == f"{printable(first)}\n{printable(second)}\n"


def printable(text: str) -> str:
    from janus_core.inference.session import printable as clean

    return clean(text)


def test_a_conversation_from_a_file(model: Path, desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    turns = [
        {"role": "<|User|>", "content": "<image_placeholder>\nwhat?", "images": ["a.png"]},
        {"role": "<|Assistant|>", "content": "a cat"},
        {"role": "User", "content": "and <image> this?", "images": ["b.png"]},
        {"role": "<|Assistant|>", "content": ""},
    ]
    (desk / "chat.json").write_text(json.dumps(turns))
    a, b = (Image.open(desk / name) for name in ("a.png", "b.png"))
    messages = [
        Message("user", (Given("image", a), "\nwhat?")),
        Message("assistant", ("a cat",)),
        Message("user", ("and ", Given("image", b), " this?")),
    ]
    options = ["--model", str(model), "--max-new-tokens", "5", "--chat", "chat.json"]
    answer = expected(model, messages)
    assert said(capsys, "answer", *options).rstrip("\n") == printable(answer)
    assert said(capsys, "answer", *options, "--stream").rstrip("\n") == printable(answer)


@pytest.mark.parametrize(
    ("turns", "told"),
    [
        ([{"role": "user", "content": "<image> what?"}], "0 images, but 1 marks"),
        ([{"role": "user", "content": "what?", "images": ["no.png"]}], "no.png"),
        ([{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "does not end with a user"),
        ([{"role": "robot", "content": "q"}], "message 1"),
        ("text", "no list of messages"),
    ],
)
def test_conversations_that_cannot_be_used(
    small_janus: Any, desk: Path, turns: Any, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (desk / "chat.json").write_text(json.dumps(turns))
    assert main(["answer", "--model", str(small_janus.ours["deepseek"]), "--chat", "chat.json"]) == 2
    assert told in capsys.readouterr().err


def test_streaming_tells_the_text_as_it_grows(small_janus: Any) -> None:
    built, recipe, facts = load_checkpoint(small_janus.ours["deepseek"])
    seen: list[tuple[int, str]] = []
    questions = [[Message("user", ("hello",))], [Message("user", ("what is it?",))]]
    answers = Session(built, recipe.name, facts).answer(
        questions, max_new_tokens=6, on_text=lambda row, text: seen.append((row, text))
    )
    for row, answer in enumerate(answers):
        mine = [text for at, text in seen if at == row]
        assert mine[-1] == answer
        assert len(mine) > 1


def test_draws(model: Path, desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--model", str(model), "--no-progress", "--out", "o.png", "--codes", "o.npy"]
    warm = ["--seed", "3", "--temperature", "6"]
    said(capsys, "draw", "a cat", *common, "--temperature", "0")
    greedy = np.load("o.npy")
    assert greedy.dtype == np.int64
    assert greedy.shape == (1, 16, 1)
    assert Image.open("o.png").size == (16, 16)
    said(capsys, "draw", "a cat", *common, "--temperature", "0", "--guidance", "5")
    assert np.array_equal(np.load("o.npy"), greedy), "the guidance of the reference is the default"
    said(capsys, "draw", "a cat", *common, *warm, "-n", "3")
    three = np.load("o.npy")
    assert Path("o-2.png").is_file()
    said(capsys, "draw", "a cat", *common, *warm, "-n", "3", "--batch-size", "2")
    assert np.array_equal(np.load("o.npy"), three)
    assert len({codes.tobytes() for codes in three}) == 3
    said(capsys, "draw", "a cat", *common, *warm, "--guidance", "1")
    assert not np.array_equal(np.load("o.npy")[0], three[0])
    said(capsys, "draw", "a cat", *common, "--temperature", "0", "--negative", "a dog")
    assert not np.array_equal(np.load("o.npy"), greedy)


def test_inpainting_keeps_what_is_dark(model: Path, desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mask = np.zeros((30, 40), dtype=np.uint8)
    mask[12:17, 18:24] = 255
    Image.fromarray(mask).save("mask.png")
    built, _, _ = load_checkpoint(model)
    prepared = built.target_transform(Image.open("a.png"))
    given = built.model.eval().encode_pixels(prepared.inputs[None])[0]
    common = [
        "--model",
        str(model),
        "--no-progress",
        "--out",
        "o.png",
        "--codes",
        "o.npy",
        "-n",
        "4",
        "--temperature",
        "6",
    ]
    said(capsys, "inpaint", "a.png", "mask.png", "a cat", *common)
    drawn = torch.from_numpy(np.load("o.npy"))
    changed = (drawn != given).any(0)[..., 0].view(4, 4)
    white = built.target_transform(Image.open("mask.png").convert("RGB")).inputs[0] > 0
    allowed = white.view(4, 4, 4, 4).permute(0, 2, 1, 3).flatten(2).any(-1)
    assert allowed.any()
    assert not allowed.all()
    assert changed.any()
    assert not (changed & ~allowed).any()
    said(capsys, "inpaint", "a.png", "a cat", "--keep-rows", "2", *common)
    rows = torch.from_numpy(np.load("o.npy"))
    assert torch.equal(rows[:, :8], given[:8].expand(4, -1, -1))
    assert len({codes.tobytes() for codes in rows[:, 8:].numpy()}) > 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["a.png", "a cat"], "must be said once"),
        (["a.png", "a cat", "--keep-rows", "4"], "1 to 3"),
        (["a.png", "black.png", "a cat"], "no white"),
        (["a.png", "small.png", "a cat"], "40 x 30"),
    ],
)
def test_inpainting_refuses(
    small_janus: Any, desk: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("L", (40, 30)).save("black.png")
    Image.new("L", (4, 3), 255).save("small.png")
    assert main(["inpaint", *words, "--model", str(small_janus.ours["deepseek"]), "--no-progress"]) == 2
    assert told in capsys.readouterr().err


def test_help_says_what_was_never_trained(capsys: pytest.CaptureFixture[str]) -> None:
    assert "never trained" in " ".join(said(capsys, "inpaint", "--help").split())


def test_info(model: Path, small_janus: Any, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "info", str(model))
    parameters = sum(tensor.numel() for tensor in small_janus.reference.parameters())
    carried = sum(t.numel() for name, t in small_janus.deepseek_state.items() if "attn_pool" in name)
    assert f"{parameters + carried:,}" in text
    for word in ("llama", "siglip", "llamagen_vq", "<begin_of_image>", "271", "<|User|>", "DEEPSEEK LICENSE"):
        assert word in text
    frozen = [line for line in text.splitlines() if line.startswith("generation_tokenizer")]
    assert " yes " in frozen[0]


def test_another_type_to_compute_in(small_janus: Any, desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--model", str(small_janus.ours["deepseek"]), "--max-new-tokens", "2", "--dtype", "bfloat16"]
    assert said(capsys, "answer", "a.png", "what?", *options)
    assert said(capsys, "draw", "a cat", "--no-progress", "--out", "o.png", *options[:2], *options[4:]) == "o.png\n"


def test_a_conversation_that_is_too_long(small_janus: Any, desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--model", str(small_janus.ours["deepseek"]), "--max-new-tokens", "5"]
    assert main(["answer", "long " * 3000, *options]) == 2
    error = capsys.readouterr().err
    assert "2048" in error
    assert "shorten" in error
