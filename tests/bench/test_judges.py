"""Judges: an endpoint on loopback, kept and recorded replies, the rule, and what never reaches a file."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from janus_bench.judges.endpoint import Endpoint
from janus_bench.judges.judge import Request
from janus_bench.judges.kept import KeptReplies
from janus_bench.judges.options import JudgeOptions, build_judge
from janus_bench.judges.recorded import RecordedReplies
from janus_bench.judges.rule import RuleJudge
from janus_core.errors import UserError

KEY = "sk-secret-of-the-test"
REQUEST = Request("v1_0 run 0 try 0", "a prompt ☕", 0.5, 3, truth="yes", said="yes")


def completion(text: str | None) -> bytes:
    return json.dumps({"model": "m-2024", "choices": [{"message": {"content": text}}]}).encode()


class Server:
    """Answers with what is queued, and remembers what it was asked."""

    def __init__(self) -> None:
        self.replies: list[tuple[int, bytes, dict[str, str]]] = []
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append((self.path, dict(self.headers), body))
                status, content, headers = outer.replies.pop(0)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"

    def will_say(self, *replies: tuple[int, bytes] | tuple[int, bytes, dict[str, str]]) -> None:
        self.replies += [(one[0], one[1], one[2] if len(one) == 3 else {}) for one in replies]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("TEST_KEY", KEY)
    found = Server()
    thread = threading.Thread(target=found.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield found
    found.http.shutdown()
    found.http.server_close()
    thread.join()


def endpoint(server: Server, slept: list[float] | None = None, **settings: Any) -> Endpoint:
    sleep = (lambda seconds: None) if slept is None else slept.append
    return Endpoint(server.url, "m", **{"key_variable": "TEST_KEY", "sleep": sleep, "attempts": 3, **settings})


def test_one_call(server: Server) -> None:
    server.will_say((200, completion("0.5")))
    reply = endpoint(server).ask(REQUEST)
    assert (reply.text, reply.model) == ("0.5", "m-2024")
    path, headers, body = server.asked[0]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "a prompt ☕"}],
        "temperature": 0.5,
        "max_tokens": 3,
    }


def test_no_content_is_an_empty_reply_and_no_key_is_sent(server: Server) -> None:
    server.will_say((200, completion(None)))
    assert endpoint(server, key_variable="").ask(REQUEST).text == ""
    assert "Authorization" not in server.asked[0][1]


def test_what_passes_is_tried_again(server: Server) -> None:
    slept: list[float] = []
    server.will_say((429, b"slow down", {"Retry-After": "7"}), (503, b""), (200, completion("1")))
    assert endpoint(server, slept, pause=2.0).ask(REQUEST).text == "1"
    assert slept == [7.0, 4.0]


def test_what_does_not_pass_is_told(server: Server) -> None:
    server.will_say(*[(500, b"broken")] * 3)
    with pytest.raises(UserError, match=r"v1_0 run 0 try 0 in 3 tries: 500 .*broken"):
        endpoint(server).ask(REQUEST)
    server.will_say((401, f"bad key {KEY}".encode()))
    with pytest.raises(UserError, match="key_variable") as error:
        endpoint(server).ask(REQUEST)
    assert KEY not in str(error.value)
    server.will_say((404, b"no such model"))
    with pytest.raises(UserError, match=r"no such model[\s\S]*judge\.model"):
        endpoint(server).ask(REQUEST)
    server.will_say((200, b"<html>"))
    with pytest.raises(UserError, match="no JSON"):
        endpoint(server).ask(REQUEST)
    server.will_say((200, b'{"error": 1}'))
    with pytest.raises(UserError, match="no chat completion"):
        endpoint(server).ask(REQUEST)
    assert len(server.asked) == 7


def test_a_redirect_does_not_carry_the_key_away(server: Server) -> None:
    server.will_say((302, b"", {"Location": f"{server.url}/elsewhere"}))
    with pytest.raises(UserError, match="302"):
        endpoint(server).ask(REQUEST)
    assert len(server.asked) == 1


def test_a_server_that_is_not_there(server: Server) -> None:
    gone = Endpoint("http://127.0.0.1:1/v1", "m", key_variable="", attempts=2, sleep=lambda seconds: None)
    with pytest.raises(UserError, match="2 tries"):
        gone.ask(REQUEST)


def test_a_missing_key_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_KEY", raising=False)
    with pytest.raises(UserError, match=r"TEST_KEY is not set[\s\S]*export TEST_KEY"):
        Endpoint("http://127.0.0.1:1/v1", "m", key_variable="TEST_KEY")


def test_replies_are_kept_and_found_offline(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "made/replies.jsonl"
    options = JudgeOptions(type="endpoint", url=server.url, model="m", key_variable="TEST_KEY", cache=str(path))
    second = Request("v1_0 run 1 try 0", REQUEST.prompt, 0.5, 3)
    server.will_say((200, completion("0.5")), (200, completion("0.6")))
    judge = build_judge(options, tmp_path / "unused.jsonl")
    assert judge is not None
    assert [judge.ask(REQUEST).text, judge.ask(second).text, judge.ask(REQUEST).text] == ["0.5", "0.6", "0.5"]
    assert len(server.asked) == 2
    assert KEY not in path.read_text(encoding="utf-8")
    offline = build_judge(JudgeOptions(type="replies", file=str(path), model="m"), tmp_path / "unused.jsonl")
    assert offline is not None
    assert (offline.ask(second).text, offline.ask(second).model, offline.stand_in) == ("0.6", "m-2024", "")
    with pytest.raises(UserError, match="v1_1"):
        offline.ask(Request("v1_1 run 0 try 0", "another", 0.0, 3))
    assert not (tmp_path / "unused.jsonl").exists()


def test_a_stopped_grading_goes_on(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    server.will_say((200, completion("0.5")))
    KeptReplies(path, "m", endpoint(server)).ask(REQUEST)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40])
    again = KeptReplies(path, "m", endpoint(server))
    assert path.read_bytes() == whole
    assert again.ask(REQUEST).text == "0.5"
    assert len(server.asked) == 1
    path.write_bytes(b"no\n" + whole)
    with pytest.raises(UserError, match="line 1"):
        KeptReplies(path, "m")
    with pytest.raises(UserError, match="no replies at"):
        KeptReplies(tmp_path / "gone.jsonl", "m")


def test_recorded_replies(tmp_path: Path) -> None:
    path = tmp_path / "replies.json"
    path.write_text(json.dumps({"a": {"match": "Who?", "replies": ["0.1", "0.2"]}}), encoding="utf-8")
    judge = RecordedReplies(path, "m")
    asked = Request("a run 0 try 0", "Who?\nTable\nWho? | x | y | ", 0.0, 3)
    assert [judge.ask(asked).text, judge.ask(asked).text] == ["0.1", "0.2"]
    with pytest.raises(UserError, match="2 replies"):
        judge.ask(asked)
    with pytest.raises(UserError, match="no replies for b"):
        judge.ask(Request("b", "Table\nWhat? | x | y | ", 0.0, 3))
    path.write_text('{"a": {"match": "Who?"}}', encoding="utf-8")
    with pytest.raises(UserError, match="a has no 'replies'"):
        RecordedReplies(path, "m")


@pytest.mark.parametrize(
    ("truth", "said", "reply"),
    [
        ("-1<AND>-5", "x = -1 or x = -5", "1.0"),
        ("-1<AND>-5", "x = -1", "0.5"),
        ("France<OR>French Republic", "It is FRANCE.", "1.0"),
        ("a<AND>b<OR>c", "c", "1.0"),
        ("cat", "concatenate", "0.0"),
        ("yes", "", "0.0"),
    ],
)
def test_the_rule_counts_elements(truth: str, said: str, reply: str) -> None:
    judge = RuleJudge()
    assert judge.ask(Request("a", "prompt", 0.0, 3, truth=truth, said=said)).text == reply
    assert (judge.id, "rule" in judge.stand_in) == ("rule-judge", True)


@pytest.mark.parametrize(
    "options",
    [
        {"type": "replies"},
        {"type": "endpoint", "url": "ftp://x"},
        {"type": "endpoint", "url": "http://me:secret@host/v1"},
        {"type": "endpoint", "key": "x"},
        {"type": "gpt"},
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        JudgeOptions(**options)
    assert build_judge(JudgeOptions(), Path("unused")) is None
