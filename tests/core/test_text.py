"""Text tokenizers and the chat template."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer

from janus_core.errors import UserError
from janus_core.interfaces import Given, Message, Target
from janus_core.text.chat import ChatTemplate
from janus_core.text.tokenizer import SpecialTokens, TextTokenizer, byte_tokenizer, train_byte_bpe

NASTY = [
    "",
    "a cat",
    "tab\tnew\nline\r\n",
    "naïve — ½ 東京 🐱👩‍👩‍👧",
    "  two  spaces ",
    "\x00\x7f",
    "<image>",
    "a" * 3000,
]


@pytest.fixture
def text() -> TextTokenizer:
    return TextTokenizer.load("bytes", SpecialTokens(), ["image"])


@pytest.mark.parametrize("written", NASTY, ids=range(len(NASTY)))
def test_bytes_round_trip(text: TextTokenizer, written: str) -> None:
    ids = text.encode(written)
    assert text.decode(ids) == written
    assert len(ids) == len(written.encode())
    assert all(0 <= i < 256 for i in ids)


def test_every_byte_has_its_own_id(text: TextTokenizer) -> None:
    characters = "".join(map(chr, range(256)))
    assert len(set(text.encode(characters))) >= 128 + 2 + 64  # UTF-8: 128 ASCII bytes, C2 and C3, 64 continuations
    assert len(text) == 256 + 6


def test_special_tokens_are_one_id_and_left_out_of_text(text: TextTokenizer) -> None:
    special = SpecialTokens()
    names = [special.bos, special.eos, special.pad, "<begin_of_image>", "<end_of_image>", "<image_placeholder>"]
    ids = [text.id(name) for name in names]
    assert len(set(ids)) == 6
    assert [text.encode(name) for name in names] == [[i] for i in ids]
    assert text.decode([text.bos, *text.encode("hi"), text.eos, text.pad]) == "hi"
    assert (text.bos, text.eos, text.pad, text.begin("image"), text.end("image")) == tuple(ids[:5])


@pytest.mark.silent_failure(14)
def test_special_ids_are_read_from_the_file_not_assumed(tmp_path: Path) -> None:
    """Row 14: the file has the special tokens at odd places; they are found there and none is added twice."""
    tokenizer = byte_tokenizer()
    special = SpecialTokens()
    order = ["<other>", special.pad, "<image_placeholder>", special.eos, "<begin_of_image>", special.bos]
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in order])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    text = TextTokenizer.load(tmp_path / "tokenizer.json", special, ["image"])
    assert (text.pad, text.eos, text.bos) == (257, 259, 261)
    assert text.begin("image") == 260
    assert text.end("image") == 262  # the only one that was lacking
    assert len(text) == 263


def test_tokens_are_added_to_an_existing_file_and_saved_with_it(tmp_path: Path) -> None:
    trained = train_byte_bpe(["a cat on a mat", "a cat and a hat"] * 20, 300)
    before = trained.get_vocab_size()
    trained.save(str(tmp_path / "tokenizer.json"))
    text = TextTokenizer.load(tmp_path / "tokenizer.json", SpecialTokens(), ["audio", "image"])
    assert len(text) == before + 3 + 2 * 3
    text.save(tmp_path / "saved.json")
    again = TextTokenizer.load(tmp_path / "saved.json", SpecialTokens(), ["audio", "image"])
    assert len(again) == len(text)
    assert (again.bos, again.begin("audio"), again.end("image")) == (text.bos, text.begin("audio"), text.end("image"))
    assert again.encode("a cat on a mat") == text.encode("a cat on a mat")
    assert len(text.encode("a cat on a mat")) < len("a cat on a mat")


def test_a_normalizer_does_not_hide_special_tokens() -> None:
    from tokenizers import normalizers

    tokenizer = byte_tokenizer()
    tokenizer.normalizer = normalizers.Lowercase()
    text = TextTokenizer(tokenizer, SpecialTokens(begin="<BEGIN_{modality}>"), ["image"])
    assert text.encode("<BEGIN_image>X") == [text.begin("image"), *text.encode("x")]


@pytest.mark.parametrize(
    "written", ["say <begin_of_image> now", "<｜end▁of▁sentence｜>", "x<image_placeholder>", "<｜▁pad▁｜>"]
)
def test_control_tokens_are_found(text: TextTokenizer, written: str) -> None:
    found = text.control_token_in(written)
    assert found is not None
    assert found in written
    assert text.control_token_in(written.replace(found, "")) is None


def test_text_tokenizer_file_missing_or_broken(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist") as missing:
        TextTokenizer.load(tmp_path / "none.json", SpecialTokens(), [])
    assert "bytes" in str(missing.value.remedy)
    (tmp_path / "bad.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match=r"bad\.json") as broken:
        TextTokenizer.load(tmp_path / "bad.json", SpecialTokens(), [])
    assert "tokenizer.json" in str(broken.value.remedy)


def test_trained_bpe_round_trips() -> None:
    tokenizer: Tokenizer = train_byte_bpe(["a cat"] * 5, 270)
    text = TextTokenizer(tokenizer, SpecialTokens(), [])
    for written in NASTY:
        assert text.decode(text.encode(written)) == written


# -- chat template ----------------------------------------------------------------------------------------------------

GIVEN, TARGET = Given("image", None), Target(None)


def rendered(messages: list[Message], system: str = "", chat: ChatTemplate | None = None) -> str:
    """Supervised text in [brackets], an input as {in}, a target as {out}."""
    pieces = []
    for chunk in (chat or ChatTemplate()).render(messages, system=system, eos="</s>"):
        piece = {GIVEN: "{in}", TARGET: "{out}"}.get(chunk.content, chunk.content)  # type: ignore[call-overload]
        pieces.append(f"[{piece}]" if chunk.supervised else str(piece))
    return "".join(pieces)


def user(*parts: object) -> Message:
    return Message("user", parts)  # type: ignore[arg-type]


def says(*parts: object) -> Message:
    return Message("assistant", parts)  # type: ignore[arg-type]


def test_one_question() -> None:
    assert rendered([user(GIVEN, "\nwhat?"), says("a cat")]) == "User: {in}\nwhat?\n\nAssistant:[ a cat</s>]"


def test_system_text_comes_first_and_is_not_supervised() -> None:
    assert rendered([user("hi"), says("yes")], "Be kind.") == "Be kind.\n\nUser: hi\n\nAssistant:[ yes</s>]"
    assert rendered([Message("system", ("Own.",)), user("hi")]) == "Own.\n\nUser: hi\n\n"


def test_several_turns_each_end_with_eos() -> None:
    turns = [user(GIVEN, "\na?"), says("b"), user("c?"), says("d")]
    assert rendered(turns) == "User: {in}\na?\n\nAssistant:[ b</s>]User: c?\n\nAssistant:[ d</s>]"


def test_a_prompt_ends_with_the_assistants_name_and_no_space() -> None:
    assert rendered([user("a?"), says()]) == "User: a?\n\nAssistant:"


def test_a_drawing_has_neither_space_nor_eos() -> None:
    """Janus takes the loss of a drawing on the image alone."""
    assert rendered([user("a cat"), says(TARGET)]) == "User: a cat\n\nAssistant:[{out}]"


def test_plain_text_is_supervised_with_eos() -> None:
    assert rendered([Message("plain", ("once upon",))]) == "[once upon</s>]"


def test_roles_of_janus_pro() -> None:
    chat = ChatTemplate(user="<|User|>", assistant="<|Assistant|>")
    assert rendered([user("a?"), says("b")], chat=chat) == "<|User|>: a?\n\n<|Assistant|>:[ b</s>]"


def test_neighbouring_texts_are_one_chunk() -> None:
    chunks = ChatTemplate().render([user("a?"), says("b")], system="s", eos="</s>")
    assert [(chunk.content, chunk.supervised) for chunk in chunks] == [
        ("s\n\nUser: a?\n\nAssistant:", False),
        (" b</s>", True),
    ]


def test_phrases_may_become_one_token_and_every_text_survives() -> None:
    trained = train_byte_bpe(["a cat at the top left", "the top left", "top hat"] * 50, 400, phrases=["top left"])
    assert len(trained.encode(" top left").ids) == 1
    assert len(trained.encode(" top hat").ids) == 2
    for text in ("top left", "Größe 12,5\n\n x", "desktop lefty", "日本"):
        assert trained.decode(trained.encode(text).ids) == text
