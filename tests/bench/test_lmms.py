"""The bridge to lmms-eval: its requests in our words; the model class on a stand-in of its base class."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from janus_bench.lmms.requests import cut, generation, turns
from janus_core.cli.model_arguments import QUICKSTART
from janus_core.errors import UserError
from janus_core.interfaces import Given, Message, Sampling

RED = Image.new("RGB", (64, 64), "red")


def test_messages_become_turns(tmp_path: Path) -> None:
    RED.convert("L").save(tmp_path / "a.png")
    messages = [
        {"role": "system", "content": "be brief"},
        {
            "role": "user",
            "content": [{"type": "image", "url": str(tmp_path / "a.png")}, {"type": "text", "text": "what?"}],
        },
        {"role": "assistant", "content": [{"type": "text", "text": "red"}]},
    ]
    system, found = turns(messages, "image")
    assert system == "be brief"
    given, line, text = found[0].parts
    assert isinstance(given, Given)
    assert (given.route, given.raw.mode, line, text) == ("image", "RGB", "\n", "what?")
    assert found[1] == Message("assistant", ("red",))
    assert turns(messages[1:2], "image")[0] is None
    with pytest.raises(UserError, match="'video'"):
        turns([{"role": "user", "content": [{"type": "video", "url": "x"}]}], "image")
    with pytest.raises(UserError, match="no understanding route"):
        turns(messages, None)


def test_settings_become_sampling_and_none_is_ignored() -> None:
    assert generation({}).sampling == Sampling(temperature=0.0)
    assert generation({"temperature": 0.7, "do_sample": False}).sampling == Sampling(temperature=0.0)
    drawn = generation({"temperature": 0.7, "do_sample": True, "top_p": None, "until": ["\n\n"], "max_new_tokens": 5})
    assert (drawn.sampling, drawn.until, drawn.max_new_tokens) == (Sampling(temperature=0.7), ("\n\n",), 5)
    for wrong in ({"num_beams": 3}, {"penalty_alpha": 0.6}):
        with pytest.raises(UserError, match=next(iter(wrong))):
            generation(wrong)
    assert cut("a. b\n\nc", ["\n\n", ". "]) == "a"
    assert cut("ab", []) == "ab"


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module ``chat`` on a stand-in of the two classes of lmms-eval that it uses."""

    class Base:
        def __init__(self) -> None:
            self.task_dict: dict[str, Any] = {}

    if "lmms_eval" not in sys.modules:
        for name, members in {
            "lmms_eval": {},
            "lmms_eval.api": {},
            "lmms_eval.api.model": {"lmms": Base},
            "lmms_eval.models": {},
            "lmms_eval.models.registry_v2": {"ModelManifest": SimpleNamespace},
        }.items():
            module = ModuleType(name)
            module.__dict__.update(members)
            monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "janus_bench.lmms.chat", raising=False)
    import janus_bench.lmms.chat

    return janus_bench.lmms.chat


def request(number: int, **settings: object) -> SimpleNamespace:
    def to_messages(document: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {"role": "user", "content": [{"type": "image", "url": RED}, {"type": "text", "text": document["question"]}]}
        ]

    return SimpleNamespace(args=("", to_messages, settings, number, "mine", "test"))


def test_the_model_class_answers_in_order_and_by_settings(chat: Any) -> None:
    model = chat.JanusChat(pretrained=QUICKSTART, batch_size="2", device="cpu", max_batch_size=None)
    documents = [{"question": text} for text in ("how many objects are there?", "what colour is the background?", "?")]
    model.task_dict = {"mine": {"test": documents}}
    requests = [request(0, max_new_tokens=6), request(2, max_new_tokens=1), request(1, max_new_tokens=6)]
    answers = model.generate_until(requests)
    session = model.session
    assert answers == [
        session.ask(RED, document["question"], max_new_tokens=tokens)
        for document, tokens in ((documents[0], 6), (documents[2], 1), (documents[1], 6))
    ]
    assert model.generate_until([request(0, max_new_tokens=6, until=[answers[0][0]])]) == [""]
    assert str(model.device) == "cpu"
    assert chat.MANIFEST.chat_class_path == "janus_bench.lmms.chat.JanusChat"
    assert model.is_simple is False
    with pytest.raises(ValueError, match="pretraind"):
        chat.JanusChat(pretraind="x")
