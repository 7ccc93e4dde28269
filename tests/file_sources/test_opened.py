"""What a process holds open is its own, and little."""

from __future__ import annotations

import multiprocessing
import pickle
import threading

from janus_file_sources.opened import Opened


def test_what_was_used_longest_ago_makes_room() -> None:
    made: list[int] = []
    opened: Opened[int, str] = Opened(2)

    def get(key: int) -> str:
        return opened.get(key, lambda: made.append(key) or str(key))  # type: ignore[func-returns-value]

    assert [get(key) for key in (1, 2, 1, 3, 1, 2)] == ["1", "2", "1", "3", "1", "2"]
    assert made == [1, 2, 3, 2]


def test_a_copy_and_a_fork_begin_empty() -> None:
    opened: Opened[int, str] = Opened(2)
    opened.get(1, lambda: "mine")
    assert pickle.loads(pickle.dumps(opened)).get(1, lambda: "copied") == "copied"
    fork = multiprocessing.get_context("fork")
    answer = fork.SimpleQueue()
    inside, leave = threading.Event(), threading.Event()

    def slow() -> str:
        inside.set()
        leave.wait(60)
        return "slow"

    thread = threading.Thread(target=opened.get, args=(2, slow))
    thread.start()  # the fork happens while another thread holds the lock
    inside.wait(60)
    child = fork.Process(target=lambda: answer.put(opened.get(1, lambda: "forked")))
    child.start()
    child.join(30)
    child.kill()
    leave.set()
    thread.join()
    assert child.exitcode == 0
    assert answer.get() == "forked"
    assert opened.get(1, lambda: "anew") == "mine"
