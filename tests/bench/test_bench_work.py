"""Asking and drawing for a benchmark: what is done is kept, what was cut short is done again, nothing is mixed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from janus_bench.chosen import choices, chosen_benchmark
from janus_bench.kept import KeptBatches
from janus_bench.run import How, run_benchmarks
from janus_bench.work import Work
from janus_core.config.recipe import ComponentChoice
from janus_core.errors import UserError
from janus_core.inference.session import Session
from janus_core.interfaces import Message, Question, Sample, Sampling
from janus_core.sequence.pack import pack


@pytest.fixture(scope="module")
def session(tiny: ModuleType) -> Session:
    built = tiny.build(tiny.recipe("both", image_size=64))
    built.model.eval()
    return Session(built, "tiny one", {"recipe": "tiny"})


def questions(count: int = 5) -> list[Question]:
    return [Question(f"q{i}", f"what is {i}?", (Image.new("RGB", (64, 64), (40 * i, 9, 9)),)) for i in range(count)]


class Stops(Session):
    """A session that is cut off before the call of this number."""

    after = 0

    def answer(self, *args: object, **kwargs: object) -> list[str]:  # type: ignore[override]
        self._count()
        return Session.answer(self, *args, **kwargs)  # type: ignore[arg-type]

    def draw(self, *args: object, **kwargs: object):  # type: ignore[no-untyped-def,override]
        self._count()
        return Session.draw(self, *args, **kwargs)  # type: ignore[arg-type]

    def _count(self) -> None:
        Stops.after -= 1
        if Stops.after < 0:
            raise KeyboardInterrupt


@pytest.fixture
def stops(session: Session) -> Session:
    return Stops(session.built, session.name, session.facts)


def test_answers_are_those_of_the_session_and_go_on_after_a_stop(
    session: Session, stops: Session, tmp_path: Path
) -> None:
    asked = questions()
    conversations = [[session.question(list(q.images), q.text)] for q in asked]
    expected = session.answer(conversations, max_new_tokens=4, batch_size=2)
    Stops.after = 2
    with pytest.raises(KeyboardInterrupt):
        Work(stops, "p", tmp_path, batch_size=2).answer("answers", asked, max_new_tokens=4)
    file = tmp_path / "kept" / "answers.jsonl"
    assert len(file.read_text().splitlines()) == 2
    with file.open("ab") as torn:
        torn.write(b'{"start": 4, "key": "c0')  # what a kill in the middle of a write leaves
    Stops.after = 1  # only the batch that is missing is asked
    assert Work(stops, "p", tmp_path, batch_size=2).answer("answers", asked, max_new_tokens=4) == expected
    assert [json.loads(line)["start"] for line in file.read_text().splitlines()] == [0, 2, 4]
    Stops.after = 0  # nothing is asked
    assert Work(stops, "p", tmp_path, batch_size=2).answer("answers", asked, max_new_tokens=4) == expected


def test_other_questions_or_settings_are_not_mixed_with_what_is_kept(session: Session, tmp_path: Path) -> None:
    asked = questions(2)
    Work(session, "p", tmp_path).answer("answers", asked, max_new_tokens=2)
    changed = [Question("q0", "another?", asked[0].images), asked[1]]
    for others, tokens in ((changed, 2), (asked, 3), (asked[:1], 2)):
        with pytest.raises(UserError, match=r"answers\.jsonl holds answers to other questions"):
            Work(session, "p", tmp_path).answer("answers", others, max_new_tokens=tokens)


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    KeptBatches(tmp_path / "a.jsonl").add(0, "k", ["q"], ["yes"])
    (tmp_path / "a.jsonl").write_text("{}\n" + (tmp_path / "a.jsonl").read_text())
    with pytest.raises(UserError, match="line 1 is damaged"):
        KeptBatches(tmp_path / "a.jsonl")


def test_an_unreadable_picture_names_its_question(session: Session, tmp_path: Path) -> None:
    (tmp_path / "no.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="picture of question q7"):
        Work(session, "p", tmp_path).answer("a", [Question("q7", "?", (tmp_path / "no.png",))], max_new_tokens=1)


def test_drawings_are_keyed_by_their_number_and_go_on_after_a_stop(
    session: Session, stops: Session, tmp_path: Path
) -> None:
    prompts, sampling = ["a cat", "a key"], Sampling(temperature=1.0)
    whole = session.draw(prompts, images_per_prompt=3, sampling=sampling, seed=5, batch_size=4)

    def drawn(with_session: Session) -> Sequence[bytes]:
        work = Work(with_session, "p", tmp_path, seed=5, batch_size=4)
        found = work.draw("drawings", prompts, images_per_prompt=3, sampling=sampling)
        assert [(one.prompt, one.number) for one in found] == [(p, n) for p in range(2) for n in range(3)]
        return [Image.open(one.path).tobytes() for one in found]

    Stops.after = 1
    with pytest.raises(KeyboardInterrupt):
        drawn(stops)
    Stops.after = 1
    assert drawn(stops) == [drawing.image.tobytes() for drawing in whole]
    assert len({drawing.image.tobytes() for drawing in whole}) > 1
    Image.new("RGB", (8, 8)).save(tmp_path / "kept" / "drawings" / "1-2.png")
    with pytest.raises(UserError, match=r"1-2\.png is not the picture that was drawn"):
        drawn(session)


def test_losses_are_the_cross_entropy_of_each_option(session: Session, tmp_path: Path) -> None:
    question = Question("q", "which?", questions(3)[2].images, ("no", "a long answer", ""))
    (found,) = Work(session, "p", tmp_path).losses("losses", [question])
    built = session.built
    message = session.question(list(question.images), question.text)
    transforms = {route: item.transform for route, item in built.assembler.routes.items()}
    for option, loss in zip(question.options, found, strict=True):
        sample = Sample("x", "understanding", (message, Message("assistant", (option,))))
        batch = pack([built.assembler.sample(sample)], transforms, None)
        with torch.no_grad():
            losses = built.model(batch)
        assert loss == pytest.approx(float(losses.sums["understanding"] / losses.counts["understanding"]), rel=1e-5)
    assert len(set(found)) == 3
    assert F.softmax(-torch.tensor(found), 0).isfinite().all()


def choice() -> ComponentChoice:
    return ComponentChoice(type="openmoji_scenes", options={"scenes": 2})


def test_a_run_that_differs_is_refused_and_one_that_does_not_goes_on(
    session: Session, tiny: ModuleType, tmp_path: Path
) -> None:
    benchmark, out = chosen_benchmark(choice()), tmp_path / "run"
    run_benchmarks([benchmark], session, How(limit=1), out)
    for other in (How(limit=2), How(limit=1, seed=1), How(limit=1, batch_size=3)):
        with pytest.raises(UserError, match=r"differs: (limit|seed|batch_size) was"):
            run_benchmarks([benchmark], session, other, out)
    more = chosen_benchmark(ComponentChoice(type="openmoji_scenes", options={"scenes": 3}))
    with pytest.raises(UserError, match="openmoji_scenes@exact had"):
        run_benchmarks([more], session, How(limit=1), out)
    trained = tiny.build(tiny.recipe("both", image_size=64))
    with torch.no_grad():
        next(trained.model.parameters()).add_(1e-3)
    with pytest.raises(UserError, match="weights was"):
        run_benchmarks([benchmark], Session(trained), How(limit=1), out)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(UserError, match="no benchmark run"):
        run_benchmarks([benchmark], session, How(), tmp_path / "mine")


def test_settings_find_their_benchmark() -> None:
    (one,) = choices(["openmoji_scenes@exact"], ["scenes=3"])
    assert (one.type, one.options) == ("openmoji_scenes@exact", {"scenes": 3})
    (one,) = choices(["openmoji_scenes"], ["openmoji_scenes.scenes=3"])
    assert one.options == {"scenes": 3}
    with pytest.raises(UserError, match="does not say whose option"):
        choices(["openmoji_scenes", "pope"], ["scenes=3"])
    with pytest.raises(UserError, match="named twice"):
        choices(["openmoji_scenes", "openmoji_scenes"], [])


@pytest.mark.slow
def test_a_run_that_is_killed_and_started_again_gives_the_same_table(tmp_path: Path) -> None:
    def command(out: Path) -> list[str]:
        words = ["bench", "run", "openmoji_scenes", "--limit", "12", "--batch-size", "4", "--no-progress"]
        return [sys.executable, "-m", "janus_core", *words, "--out", str(out)]

    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(command(tmp_path / "whole"), check=True, env=environment, stdout=subprocess.DEVNULL)
    kills, killed = 0, tmp_path / "killed"
    folder = killed / "openmoji_scenes@exact"
    for lines in (3, 14):  # once while it answers, once a little later
        process = subprocess.Popen(command(killed), env=environment, stdout=subprocess.DEVNULL)
        while process.poll() is None:
            kept = [len(file.read_text().splitlines()) for file in (folder / "kept").glob("*.jsonl")]
            if sum(kept) >= lines:
                process.send_signal(signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.01)
        process.wait()
    assert kills == 2
    subprocess.run(command(killed), check=True, env=environment, stdout=subprocess.DEVNULL)
    for name in ("table.txt", "items.jsonl", "records.jsonl"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / "openmoji_scenes@exact" / name).read_bytes()
